import type { Clock } from "../clock.ts";
import type { RequestContext } from "../context.ts";
import { invalidArgument } from "../errors.ts";
import type { UsageDimension, UsageGroup, UsageQuery, UsageStore } from "./usage-store.ts";
import { addSums, DAY_MS, HOUR_MS, NO_USAGE, type UsageSums } from "./usage-sums.ts";

export interface UsageRequest {
  /** Milliseconds since the Unix epoch. */
  readonly from?: number;
  readonly to?: number;
  readonly groupBy: readonly UsageDimension[];
  readonly filter: UsageQuery["filter"];
}

export interface UsageReport {
  readonly rows: readonly UsageGroup[];
  readonly total: UsageSums;
  readonly omittedRows: number;
  readonly from: number;
  readonly to: number;
}

const DEFAULT_RANGE_MS = 30 * DAY_MS;
const MAX_DAYS = 366;
/** The most rows that one answer has. */
const MAX_ROWS = 10_000;

/** What was spent, and by whom; see stats.proto for what it promises. */
export class UsageService {
  readonly #usage: UsageStore;
  readonly #clock: Clock;

  constructor(usage: UsageStore, clock: Clock) {
    this.#usage = usage;
    this.#clock = clock;
  }

  /** @throws AppError */
  async getUsage({ principal }: RequestContext, request: UsageRequest): Promise<UsageReport> {
    const { from, to } = this.#range(request);
    const groupBy = [...new Set(request.groupBy)];
    if (groupBy.includes("day") && groupBy.includes("hour")) {
      throw invalidArgument("group_by", "can have DAY or HOUR, not both");
    }
    const groups = await this.#usage.sumUsage({ principal, from, to, groupBy, filter: request.filter });
    const rows = most(groups, MAX_ROWS).sort((a, b) => (a.time ?? 0) - (b.time ?? 0) || byCost(a, b));
    return {
      rows,
      total: groups.reduce<UsageSums>((sum, group) => addSums(sum, group), NO_USAGE),
      omittedRows: groups.length - rows.length,
      from,
      to,
    };
  }

  #range(request: UsageRequest): { from: number; to: number } {
    const to = Math.ceil(readTime("to", request.to ?? this.#clock.now()) / HOUR_MS) * HOUR_MS;
    const begin = readTime("from", request.from ?? Math.max(0, to - DEFAULT_RANGE_MS));
    const from = begin - (begin % HOUR_MS);
    if (from >= to) throw invalidArgument("from", "must be before to");
    if (to - from > MAX_DAYS * DAY_MS + HOUR_MS) {
      throw invalidArgument("from", `must be at most ${MAX_DAYS} days before to; ask for one part at a time`);
    }
    return { from, to };
  }
}

/** The last whole hour that a Timestamp of protobuf can be: JSON has none after the year 9999. */
const MAX_TIME = Date.UTC(9999, 11, 31, 23);

function readTime(argument: string, time: number): number {
  if (time >= 0 && time <= MAX_TIME) return time;
  throw invalidArgument(argument, "must be a time from 1970 to 9999");
}

function most(groups: readonly UsageGroup[], count: number): UsageGroup[] {
  return groups.toSorted(byCost).slice(0, count);
}

/** The highest cost first, then the most calls; in the order of names where those are the same. */
function byCost(a: UsageGroup, b: UsageGroup): number {
  if (a.cost !== b.cost) return a.cost > b.cost ? -1 : 1;
  return b.calls - a.calls || compare(nameOf(a), nameOf(b));
}

function nameOf({ provider, model, platform, userId, operation }: UsageGroup): string {
  return JSON.stringify([provider, model, platform, userId, operation]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
