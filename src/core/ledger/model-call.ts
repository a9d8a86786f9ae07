import type { Id } from "../ids.ts";
import type { CallOutcome } from "../model/call-recorder.ts";
import type { ModelOperation } from "../model/language-model.ts";
import type { TokenUsage } from "../model/usage.ts";
import type { PicoUsd } from "./money.ts";

/** One call of a language model, as far as it has got. */
export interface ModelCall {
  /** Unique among all calls. */
  readonly id: string;
  readonly operation: ModelOperation;
  readonly provider: string;
  readonly model: string;
  /** When it was about to be sent; milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** From when it was sent, in milliseconds; absent until the call has ended. */
  readonly durationMs?: number;
  /** `open`: about to be sent, or sent; what has become of it is not known. */
  readonly status: CallOutcome | "open";
  /** Absent when the provider did not tell it. */
  readonly usage?: TokenUsage;
  /** By the price list of the time; absent when the price, or what it applies to, is not known. */
  readonly cost?: PicoUsd;
}

/** Whom a call was made for. */
export interface CallOrigin {
  readonly principal: string;
  /** As in SessionMetadata, where it was given. */
  readonly platform?: string;
  readonly userId?: string;
  readonly conversationId: Id;
  readonly turnId: Id;
}

/** `interrupted`: the process ended while the call was open, so that no more is known of it. */
export type UsageStatus = Exclude<CallOutcome, "unsent"> | "interrupted";

/** A row of the ledger: there is exactly one for each call of a model. */
export interface UsageRow extends CallOrigin, Omit<ModelCall, "status"> {
  readonly status: UsageStatus;
}

/** What a log says of each call: the first that is known of it, if no more that it is open. */
export function outcomeOfEach(log: readonly ModelCall[]): ModelCall[] {
  const outcomes = new Map<string, ModelCall>();
  for (const call of log) {
    const known = outcomes.get(call.id);
    if (!known || known.status === "open") outcomes.set(call.id, call);
  }
  return [...outcomes.values()];
}

/** The call's row; undefined for one that was never sent. */
export function toUsageRow(call: ModelCall, origin: CallOrigin): UsageRow | undefined {
  if (call.status === "unsent") return undefined;
  return {
    id: call.id,
    principal: origin.principal,
    platform: origin.platform,
    userId: origin.userId,
    conversationId: origin.conversationId,
    turnId: origin.turnId,
    operation: call.operation,
    provider: call.provider,
    model: call.model,
    startedAt: call.startedAt,
    durationMs: call.durationMs,
    status: call.status === "open" ? "interrupted" : call.status,
    usage: call.usage,
    cost: call.cost,
  };
}
