import type { ModelOperation } from "../model/language-model.ts";
import type { UsageRow } from "./model-call.ts";
import type { PicoUsd } from "./money.ts";

/** In milliseconds. */
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** What rows of the ledger have in common that are summed up together. */
export interface UsageKey {
  readonly principal: string;
  /** When the hour began in which the calls did; milliseconds since the Unix epoch, in UTC. */
  readonly hour: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: ModelOperation;
  /** Empty where none was given, as `userId`. */
  readonly platform: string;
  readonly userId: string;
}

/** Rows of the ledger, summed up. Calls that are not counted as something else were `ok`. */
export interface UsageSums {
  readonly calls: number;
  readonly failed: number;
  readonly aborted: number;
  readonly interrupted: number;
  /** Of the calls whose tokens are known, as the other tokens. */
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly unknownTokens: number;
  /** Of the calls whose cost is known. */
  readonly cost: PicoUsd;
  readonly unknownCost: number;
  /** In milliseconds, of the calls that have ended. */
  readonly durationMs: number;
}

/** Sums that are being made. */
export type Mutable<Sums> = { -readonly [Name in keyof Sums]: Sums[Name] };

/** The sums, and their names in stores. */
export const SUM_NAMES = Object.entries({
  calls: "calls",
  failed: "failed",
  aborted: "aborted",
  interrupted: "interrupted",
  inputTokens: "input_tokens",
  cachedInputTokens: "cached_input_tokens",
  outputTokens: "output_tokens",
  reasoningTokens: "reasoning_tokens",
  unknownTokens: "unknown_tokens",
  cost: "cost",
  unknownCost: "unknown_cost",
  durationMs: "duration_ms",
} satisfies Record<keyof UsageSums, string>) as readonly [keyof UsageSums, string][];

export const NO_USAGE: UsageSums = {
  calls: 0,
  failed: 0,
  aborted: 0,
  interrupted: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  unknownTokens: 0,
  cost: 0n,
  unknownCost: 0,
  durationMs: 0,
};

/** The same whatever has become of the call. */
export function usageKey(row: Pick<UsageRow, Exclude<keyof UsageKey, "hour"> | "startedAt">): UsageKey {
  const { principal, startedAt, provider, model, operation, platform = "", userId = "" } = row;
  return { principal, hour: startedAt - (startedAt % HOUR_MS), provider, model, operation, platform, userId };
}

/** Adds a row to sums, or takes it away. */
export function addRow(sums: Mutable<UsageSums>, row: UsageRow, sign: 1 | -1): void {
  const { status, usage, cost, durationMs = 0 } = row;
  sums.calls += sign;
  if (status !== "ok") sums[status] += sign;
  if (usage) {
    sums.inputTokens += sign * usage.inputTokens;
    sums.cachedInputTokens += sign * (usage.cachedInputTokens ?? 0);
    sums.outputTokens += sign * usage.outputTokens;
    sums.reasoningTokens += sign * (usage.reasoningTokens ?? 0);
  } else sums.unknownTokens += sign;
  if (cost === undefined) sums.unknownCost += sign;
  else sums.cost += sign === 1 ? cost : -cost;
  sums.durationMs += sign * durationMs;
}

export function addSums(a: UsageSums, b: UsageSums): UsageSums {
  return {
    calls: a.calls + b.calls,
    failed: a.failed + b.failed,
    aborted: a.aborted + b.aborted,
    interrupted: a.interrupted + b.interrupted,
    inputTokens: a.inputTokens + b.inputTokens,
    cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    unknownTokens: a.unknownTokens + b.unknownTokens,
    cost: a.cost + b.cost,
    unknownCost: a.unknownCost + b.unknownCost,
    durationMs: a.durationMs + b.durationMs,
  };
}
