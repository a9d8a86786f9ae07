import type { Id } from "../../core/ids.ts";
import {
  type CallOrigin,
  type ModelCall,
  outcomeOfEach,
  toUsageRow,
  type UsageRow,
} from "../../core/ledger/model-call.ts";
import {
  addRow,
  type Mutable,
  NO_USAGE,
  SUM_NAMES,
  type UsageKey,
  type UsageSums,
  usageKey,
} from "../../core/ledger/usage-sums.ts";
import type { Sql } from "./database.ts";
import type { TurnRequestColumn } from "./rows.ts";

// A turn keeps its model calls in its own row, as a log: a line of JSON each time that something is said of
// one, so that the turn's writes take them along for next to nothing. There the ledger has them for good: the
// view `usage` makes rows of the logs. What ends a turn also adds its calls to the sums of their hours, in
// the same transaction, and then puts a mark behind them.

/** A line is short, since the turn's row is written whole each time. The view `usage` reads it too. */
type CallLine = [
  id: string,
  status: ModelCall["status"],
  operation: ModelCall["operation"],
  provider: string,
  model: string,
  startedAt: number,
  durationMs: number | null,
  cost: string | null,
  tokens: [input: number, output: number, cached: number | null, reasoning: number | null] | null,
];

/** What stands before it in a log is in the sums. */
const SUMMED_UP = null;
export const SUMMED_UP_LINE = `${JSON.stringify(SUMMED_UP)},`;

type Line = CallLine | typeof SUMMED_UP;

/** The lines that a turn's log gains; each ends with a comma. */
export function callLines(calls: readonly ModelCall[]): string {
  return calls.map((call) => `${JSON.stringify(toLine(call))},`).join("");
}

function toLine(call: ModelCall): CallLine {
  const { usage, cost } = call;
  return [
    call.id,
    call.status,
    call.operation,
    call.provider,
    call.model,
    call.startedAt,
    call.durationMs ?? null,
    cost === undefined ? null : String(cost),
    usage
      ? [
          usage.inputTokens,
          usage.outputTokens,
          usage.cachedInputTokens ?? null,
          usage.reasoningTokens ?? null,
        ]
      : null,
  ];
}

function fromLine(line: CallLine): ModelCall {
  const [id, status, operation, provider, model, startedAt, durationMs, cost, tokens] = line;
  return {
    id,
    status,
    operation,
    provider,
    model,
    startedAt,
    durationMs: durationMs ?? undefined,
    cost: cost === null ? undefined : BigInt(cost),
    usage: tokens
      ? {
          inputTokens: tokens[0],
          outputTokens: tokens[1],
          cachedInputTokens: tokens[2] ?? undefined,
          reasoningTokens: tokens[3] ?? undefined,
        }
      : undefined,
  };
}

/** What there is to know of a turn to sum its calls up. */
export interface TurnLog {
  id: string;
  owner: string;
  request: string;
  calls: string;
}

/** A row that the sums gain or lose. */
export type UsageChange = readonly [row: UsageRow, sign: 1 | -1];

/** What the sums lack of an ended turn's log, to whose end {@link SUMMED_UP_LINE} has just been put. */
export function notSummedUp(turn: TurnLog, conversationId: Id): UsageChange[] {
  const { platform, userId } = JSON.parse(turn.request) as TurnRequestColumn;
  const origin = { principal: turn.owner, platform, userId, conversationId, turnId: turn.id };
  const lines = JSON.parse(`[${turn.calls.slice(0, -1)}]`) as Line[];
  const summedUp = lines.slice(0, lines.lastIndexOf(SUMMED_UP, -2) + 1);
  return [
    ...rowsOf(summedUp, origin).map((row) => [row, -1] as const),
    ...rowsOf(lines, origin).map((row) => [row, 1] as const),
  ];
}

function rowsOf(lines: readonly Line[], origin: CallOrigin): UsageRow[] {
  const calls = lines.flatMap((line) => (line === SUMMED_UP ? [] : fromLine(line)));
  return outcomeOfEach(calls).flatMap((call) => toUsageRow(call, origin) ?? []);
}

export interface UsageViewRow {
  id: string;
  principal: string;
  platform: string | null;
  user_id: string | null;
  conversation_id: string;
  turn_id: string;
  operation: UsageRow["operation"];
  provider: string;
  model: string;
  started_at: number;
  duration_ms: number | null;
  status: UsageRow["status"];
  input_tokens: number | null;
  cached_input_tokens: number | null;
  output_tokens: number | null;
  reasoning_tokens: number | null;
  /** {@link PicoUsd} as text, as {@link USAGE_COLUMNS} gives it. */
  cost: string | null;
}

/** A cost may be more than a JavaScript number holds exactly. */
export const USAGE_COLUMNS = `id, principal, platform, user_id, conversation_id, turn_id, operation, provider, model,
  started_at, duration_ms, status, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
  CAST(cost AS TEXT) AS cost`;

export function toRow(row: UsageViewRow): UsageRow {
  const { input_tokens: inputTokens, output_tokens: outputTokens } = row;
  return {
    id: row.id,
    principal: row.principal,
    platform: row.platform ?? undefined,
    userId: row.user_id ?? undefined,
    conversationId: row.conversation_id,
    turnId: row.turn_id,
    operation: row.operation,
    provider: row.provider,
    model: row.model,
    startedAt: row.started_at,
    durationMs: row.duration_ms ?? undefined,
    status: row.status,
    usage:
      inputTokens === null || outputTokens === null
        ? undefined
        : {
            inputTokens,
            outputTokens,
            cachedInputTokens: row.cached_input_tokens ?? undefined,
            reasoningTokens: row.reasoning_tokens ?? undefined,
          },
    cost: row.cost === null ? undefined : BigInt(row.cost),
  };
}

/** Adds rows that no turn holds: those of a backup. To be run in a transaction. */
export function insertRows(sql: Sql, rows: readonly UsageRow[]): void {
  for (const row of rows) {
    sql(
      `INSERT INTO detached_usage (id, principal, platform, user_id, conversation_id, turn_id, operation,
         provider, model, started_at, duration_ms, status, input_tokens, cached_input_tokens, output_tokens,
         reasoning_tokens, cost)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      row.id,
      row.principal,
      row.platform ?? null,
      row.userId ?? null,
      row.conversationId,
      row.turnId,
      row.operation,
      row.provider,
      row.model,
      row.startedAt,
      row.durationMs ?? null,
      row.status,
      row.usage?.inputTokens ?? null,
      row.usage?.cachedInputTokens ?? null,
      row.usage?.outputTokens ?? null,
      row.usage?.reasoningTokens ?? null,
      row.cost ?? null,
    );
  }
  sumUp(
    sql,
    rows.map((row) => [row, 1]),
  );
}

const ADD_TO_HOUR = `
  INSERT INTO usage_hours (principal, hour, provider, model, operation, platform, user_id,
    ${SUM_NAMES.map(([, column]) => column).join(", ")})
  VALUES (?, ?, ?, ?, ?, ?, ?, ${SUM_NAMES.map(() => "?").join(", ")})
  ON CONFLICT DO UPDATE SET ${SUM_NAMES.map(([, column]) => `${column} = ${column} + excluded.${column}`).join(", ")}`;

/** Adds rows to the sums of their hours, or takes them away. To be run in a transaction. */
export function sumUp(sql: Sql, changes: readonly UsageChange[]): void {
  const hours = new Map<string, { key: UsageKey; sums: Mutable<UsageSums> }>();
  for (const [row, sign] of changes) {
    const key = usageKey(row);
    const name = nameOf(key);
    let hour = hours.get(name);
    if (!hour) {
      hour = { key, sums: { ...NO_USAGE } };
      hours.set(name, hour);
    }
    addRow(hour.sums, row, sign);
  }
  for (const { key, sums } of hours.values()) {
    const { principal, hour, provider, model, operation, platform, userId } = key;
    sql(ADD_TO_HOUR).run(
      ...[principal, hour, provider, model, operation, platform, userId],
      ...SUM_NAMES.map(([name]) => sums[name]),
    );
  }
}

/** Differs for each key: with their lengths, parts can't run into one another. JSON would cost more than the sums. */
function nameOf({ principal, hour, provider, model, operation, platform, userId }: UsageKey): string {
  const lengths = `${principal.length} ${provider.length} ${model.length} ${platform.length} ${userId.length}`;
  return `${lengths} ${hour} ${operation} ${principal}${provider}${model}${platform}${userId}`;
}
