import type { UsageKey, UsageSums } from "./usage-sums.ts";

/**
 * What usage can be told apart by. `day` and `hour` are UTC's; a `model` is told with its provider, and a
 * `user` with the platform, without which the name means nothing.
 */
export const USAGE_DIMENSIONS = ["day", "hour", "model", "user", "platform", "operation"] as const;
export type UsageDimension = (typeof USAGE_DIMENSIONS)[number];

export interface UsageQuery {
  readonly principal: string;
  /** Calls that began at `from` or later and before `to`: whole hours, in milliseconds since the Unix epoch. */
  readonly from: number;
  readonly to: number;
  readonly groupBy: readonly UsageDimension[];
  /** Only rows that have exactly this. */
  readonly filter: Partial<Pick<UsageKey, "model" | "platform" | "userId" | "operation">>;
}

/** Sums of some rows, with what they were grouped by. */
export interface UsageGroup extends UsageSums, Partial<Omit<UsageKey, "principal" | "hour">> {
  /** When the day or hour began; milliseconds since the Unix epoch. */
  readonly time?: number;
}

/** The ledger as it is read: sums of the rows that a {@link ConversationStore} wrote. */
export interface UsageStore {
  /** In no order; one group for each combination that there is. */
  sumUsage(query: UsageQuery): Promise<UsageGroup[]>;
  /**
   * Sums up what writing has left to be summed up later, so that reading has less to do. Any number of
   * processes may do so at any time. Stops early when `signal` aborts.
   */
  catchUp(now: number, signal: AbortSignal): Promise<void>;
}
