import { Long } from "mongodb";
import type { Id } from "../../core/ids.ts";
import type { ModelCall, UsageRow } from "../../core/ledger/model-call.ts";
import type { UsageKey } from "../../core/ledger/usage-sums.ts";
import type { TokenUsage } from "../../core/model/usage.ts";

/** T with no key left out, so that a field new in T has to be mapped too. */
export type Whole<T> = { [Key in keyof Required<T>]: T[Key] };

export interface CallDocument extends Omit<ModelCall, "startedAt" | "durationMs" | "usage" | "cost"> {
  readonly started_at: Date;
  readonly duration_ms?: number;
  readonly usage?: UsageDocument;
  /** {@link PicoUsd} */
  readonly cost?: Long;
}

export interface UsageDocument {
  input_tokens: number;
  output_tokens: number;
  cached_input_tokens?: number;
  reasoning_tokens?: number;
}

/** A row of the ledger. */
export interface UsageRowDocument
  extends Omit<CallDocument, "id" | "status">,
    Pick<UsageRow, "principal" | "platform" | "status"> {
  /** The call's id. */
  _id: Id;
  user_id?: string;
  conversation_id: Id;
  turn_id: Id;
}

/** Rows of one hour that have all this in common, summed up. Its sums have the names of `SUM_NAMES`. */
export interface UsageHourDocument extends Omit<UsageKey, "hour" | "userId"> {
  /** A digest of the key. */
  _id: string;
  hour: Date;
  day: Date;
  user_id: string;
  /** Counted up after rows were written that belong to it. */
  version: number;
  /** The version that the sums are of, at least. */
  summed: number;
  /** `summed` may be behind `version`. */
  stale?: true;
}

export function toUsageDocument(usage: TokenUsage): Whole<UsageDocument> {
  return {
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cached_input_tokens: usage.cachedInputTokens,
    reasoning_tokens: usage.reasoningTokens,
  };
}

export function toUsage(document: UsageDocument): Whole<TokenUsage> {
  return {
    inputTokens: document.input_tokens,
    outputTokens: document.output_tokens,
    cachedInputTokens: document.cached_input_tokens,
    reasoningTokens: document.reasoning_tokens,
  };
}

export function toCallDocument({ id, status, ...call }: ModelCall): Whole<CallDocument> {
  return { id, status, ...toFields(call) };
}

export function toCall({ id, status, ...document }: CallDocument): Whole<ModelCall> {
  return { id, status, ...fromFields(document) };
}

function toFields(call: Omit<ModelCall, "id" | "status">): Whole<Omit<CallDocument, "id" | "status">> {
  return {
    operation: call.operation,
    provider: call.provider,
    model: call.model,
    started_at: new Date(call.startedAt),
    duration_ms: call.durationMs,
    usage: call.usage && toUsageDocument(call.usage),
    cost: call.cost === undefined ? undefined : Long.fromBigInt(call.cost),
  };
}

function fromFields(document: Omit<CallDocument, "id" | "status">): Whole<Omit<ModelCall, "id" | "status">> {
  return {
    operation: document.operation,
    provider: document.provider,
    model: document.model,
    startedAt: document.started_at.getTime(),
    durationMs: document.duration_ms,
    usage: document.usage && toUsage(document.usage),
    cost: document.cost === undefined ? undefined : toBigInt(document.cost),
  };
}

/** The driver gives 64-bit integers as numbers where those hold them. */
export function toBigInt(value: Long | number): bigint {
  return BigInt(value.toString());
}

export function toUsageRowDocument(row: UsageRow): Whole<UsageRowDocument> {
  return {
    _id: row.id,
    ...toFields(row),
    status: row.status,
    principal: row.principal,
    platform: row.platform,
    user_id: row.userId,
    conversation_id: row.conversationId,
    turn_id: row.turnId,
  };
}

export function toUsageRow(document: UsageRowDocument): Whole<UsageRow> {
  return {
    id: document._id,
    ...fromFields(document),
    status: document.status,
    principal: document.principal,
    platform: document.platform,
    userId: document.user_id,
    conversationId: document.conversation_id,
    turnId: document.turn_id,
  };
}
