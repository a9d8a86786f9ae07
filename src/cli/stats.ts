import { Dimension, type GetUsageRequest, GetUsageResponse, type Usage } from "../gen/acai/stats/stats";
import type { Timestamp } from "../gen/google/protobuf/timestamp";
import { CONTRACT_JSON, type CommandContext } from "./context.ts";
import { safeJson, safeLine } from "./safe-text.ts";
import { GAP, plainTable } from "./table.ts";
import { type Output, painter } from "./terminal.ts";
import { cutToWidth, textWidth } from "./width.ts";

/** What `parley stats --by` takes. */
export const DIMENSIONS = ["day", "hour", "model", "user", "platform", "operation"] as const;
export type DimensionName = (typeof DIMENSIONS)[number];

export interface StatsQuery extends Pick<GetUsageRequest, "model" | "platform" | "userId" | "operation"> {
  readonly by: readonly DimensionName[];
  readonly from?: Timestamp;
  readonly to?: Timestamp;
}

const BY_NAME: Readonly<Record<DimensionName, Dimension>> = {
  day: Dimension.DAY,
  hour: Dimension.HOUR,
  model: Dimension.MODEL,
  user: Dimension.USER,
  platform: Dimension.PLATFORM,
  operation: Dimension.OPERATION,
};

/** Prints what the language models were used for. */
export async function stats({ connect, streams, json }: CommandContext, query: StatsQuery): Promise<void> {
  const { by, ...filter } = query;
  const groupBy = by.map((name) => BY_NAME[name]);
  const usage = await connect().stats.GetUsage({ ...filter, groupBy });
  const { stdout, stderr } = streams;
  if (json) {
    stdout.write(`${safeJson(GetUsageResponse.toJson(usage, CONTRACT_JSON))}\n`);
  } else if (usage.rows.length === 0) {
    stderr.write(`No model was called ${spanOf(usage)}.\n`);
  } else {
    stdout.write(`${report(usage, by, stdout).join("\n")}\n`);
    for (const note of notes(usage)) stderr.write(`${note}\n`);
  }
}

const SUMS = ["CALLS", "FAILED", "INPUT", "OUTPUT", "COST"];
const MAX_BAR = 30;
const MIN_BAR = 8;
const MAX_NAME = 40;

function report(usage: GetUsageResponse, by: readonly DimensionName[], stdout: Output): string[] {
  const { rows, total } = usage;
  const paint = painter(stdout);
  const names = by.map((name) => name.toUpperCase());
  const cells = rows.map((row) => [...by.map((name) => nameOf(row, name)), ...sumsOf(row)]);
  const end = total ? [["TOTAL", ...by.slice(1).map(() => ""), ...sumsOf(total)]] : [];
  const aligned = [...by.map(() => "left" as const), ...SUMS.map(() => "right" as const)];
  const [head = "", ...lines] = plainTable([[...names, ...SUMS], ...cells, ...end], aligned);

  const width = Math.max(...[head, ...lines].map(textWidth)) + GAP;
  const room = Math.min((stdout.columns || 80) - width, MAX_BAR);
  const bars = room < MIN_BAR ? [] : barsOf(rows, room);
  const drawn = lines.map((line, index) => {
    const bar = bars[index];
    return bar ? `${line}${" ".repeat(width - textWidth(line))}${paint("cyan", bar)}` : line;
  });
  const last = by.length > 0 ? drawn : drawn.slice(0, 1);
  return [`Model calls ${spanOf(usage)}`, "", paint("dim", head), ...last];
}

function nameOf({ time, provider, model, platform, userId, operation }: Usage, name: DimensionName): string {
  switch (name) {
    case "day":
      return utc(time).slice(0, 10);
    case "hour":
      return utc(time);
    case "model":
      return shown(provider === model ? model : `${provider}/${model}`);
    case "user":
      return shown(platform === "" ? userId : `${platform}/${userId}`);
    case "platform":
      return shown(platform);
    case "operation":
      return shown(operation);
  }
}

function shown(name: string): string {
  return cutToWidth(safeLine(name), MAX_NAME) || "–";
}

function sumsOf(usage: Usage): string[] {
  const { calls, failed, aborted, interrupted, inputTokens, outputTokens } = usage;
  return [calls, failed + aborted + interrupted, inputTokens, outputTokens]
    .map((count) => count.toLocaleString("en"))
    .concat(costOf(usage));
}

/** Exact in --json; here to the hundredth of a cent, and what is not known is never called nothing. */
function costOf({ costUsd, unknownCost, calls }: Usage): string {
  if (unknownCost > 0 && unknownCost === calls) return "unknown";
  const cost = Number(costUsd);
  const text = cost > 0 && cost < 0.0001 ? "<$0.0001" : `$${cost.toFixed(4)}`;
  return unknownCost > 0 ? `${text} + ?` : text;
}

/** By cost; by calls where nothing has a cost that is known. */
function barsOf(rows: readonly Usage[], room: number): string[] {
  const costs = rows.map(({ costUsd }) => Number(costUsd));
  const values = costs.some((cost) => cost > 0) ? costs : rows.map(({ calls }) => calls);
  const most = Math.max(...values);
  return values.map((value) => bar((value / most) * room));
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

function bar(columns: number): string {
  const eighths = Math.round(columns * 8);
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

function notes({ total, omittedRows }: GetUsageResponse): string[] {
  const { calls = 0, unknownTokens = 0, unknownCost = 0 } = total ?? {};
  return [
    unknownTokens > 0 &&
      `Of ${unknownTokens} of ${calls} calls the tokens are not known: they are in no sum.`,
    unknownCost > 0 &&
      `Of ${unknownCost} of ${calls} calls the cost is not known: it is in no sum. PRICES_FILE adds prices.`,
    omittedRows > 0 && `${omittedRows} rows of the lowest cost are left out, but not of the total.`,
  ].filter((note) => note !== false);
}

function spanOf({ from, to }: GetUsageResponse): string {
  return `from ${utc(from)} to ${utc(to)} (UTC)`;
}

function utc(time: Timestamp | undefined): string {
  return time ? new Date(Number(time.seconds) * 1000).toISOString().slice(0, 16).replace("T", " ") : "";
}
