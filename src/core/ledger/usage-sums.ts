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

export function sumsOf({ status, usage, cost, durationMs = 0 }: UsageRow): UsageSums {
  return {
    calls: 1,
    failed: status === "failed" ? 1 : 0,
    aborted: status === "aborted" ? 1 : 0,
    interrupted: status === "interrupted" ? 1 : 0,
    inputTokens: usage?.inputTokens ?? 0,
    cachedInputTokens: usage?.cachedInputTokens ?? 0,
    outputTokens: usage?.outputTokens ?? 0,
    reasoningTokens: usage?.reasoningTokens ?? 0,
    unknownTokens: usage ? 0 : 1,
    cost: cost ?? 0n,
    unknownCost: cost === undefined ? 1 : 0,
    durationMs,
  };
}

/** `sign`: -1 to take the second away from the first. */
export function addSums(a: UsageSums, b: UsageSums, sign: 1 | -1 = 1): UsageSums {
  return {
    calls: a.calls + sign * b.calls,
    failed: a.failed + sign * b.failed,
    aborted: a.aborted + sign * b.aborted,
    interrupted: a.interrupted + sign * b.interrupted,
    inputTokens: a.inputTokens + sign * b.inputTokens,
    cachedInputTokens: a.cachedInputTokens + sign * b.cachedInputTokens,
    outputTokens: a.outputTokens + sign * b.outputTokens,
    reasoningTokens: a.reasoningTokens + sign * b.reasoningTokens,
    unknownTokens: a.unknownTokens + sign * b.unknownTokens,
    cost: a.cost + BigInt(sign) * b.cost,
    unknownCost: a.unknownCost + sign * b.unknownCost,
    durationMs: a.durationMs + sign * b.durationMs,
  };
}
