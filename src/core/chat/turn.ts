import type { Step } from "../assistant/step.ts";
import type { UserLocale } from "../context.ts";
import { AppError, type ErrorCode } from "../errors.ts";
import type { Id } from "../ids.ts";

/** A turn's address. It starts with the conversation, by which a store may be sharded. */
export interface TurnRef {
  readonly conversationId: Id;
  /** 1 for the conversation's first turn, then counted up without gaps. */
  readonly seq: number;
}

/** The right of one process to run a turn; it must be renewed before it expires. */
export interface Lease {
  /** Unique to one run of the turn, so that a run knows whether the turn is still its own. */
  readonly holder: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** A message as it was said. */
export interface StoredMessage {
  readonly messageId: Id;
  readonly content: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

/** An {@link AppError} as it is stored; its cause is in the log. */
export interface TurnError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly meta: Readonly<Record<string, string>>;
}

/**
 * What became of a turn. `running` turns have a lease; `completed` ones a reply; `failed` ones an
 * error. A failed turn keeps its user message.
 */
export type TurnState =
  | { readonly state: "running"; readonly lease: Lease }
  | { readonly state: "completed"; readonly reply: StoredMessage }
  | { readonly state: "failed"; readonly error: TurnError };

/** What stays the same in all states of a turn. */
export interface TurnBase extends TurnRef {
  readonly id: Id;
  readonly owner: string;
  /** The number of messages of the conversation before this turn. */
  readonly messageOffset: number;
  /** Unique in the conversation. */
  readonly idempotencyKey?: string;
  /** Tells a repeated request from another one with the same key; empty where there is none. */
  readonly requestHash: string;
  readonly userLocale: UserLocale;
  /** As in SessionMetadata, where it was given. */
  readonly platform?: string;
  readonly userId?: string;
  readonly user: StoredMessage;
  readonly steps: readonly Step[];
  /** How often a run of this turn was begun: more than once after crashes. */
  readonly attempts: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type Turn = TurnBase & TurnState;
export type RunningTurn = TurnBase & Extract<TurnState, { state: "running" }>;
export type FailedTurn = TurnBase & Extract<TurnState, { state: "failed" }>;
export type EndedTurn = TurnBase & Exclude<TurnState, { state: "running" }>;

/** A turn with what its conversation's sums are counted from. */
export type CountedTurn = Pick<TurnBase, "conversationId" | "seq" | "messageOffset" | "createdAt">;

/** A turn to begin; the store numbers it. */
export type NewTurn = Omit<
  RunningTurn,
  "seq" | "messageOffset" | "steps" | "attempts" | "state" | "updatedAt"
>;

/** What a run of a turn came to. */
export type ExecutionResult =
  /** Its steps are those that the run began with; the store has them all. */
  | { readonly type: "ended"; readonly turn: EndedTurn }
  /** The lease ran out and another run has the turn now. */
  | { readonly type: "lost" }
  /** The server stops: the turn is left for another process to take over at once. */
  | { readonly type: "stopped" };

export function toTurnError(error: AppError): TurnError {
  const { code, publicMessage, retryable, meta } = error;
  return { code, message: publicMessage, retryable, meta };
}

/** What ended a turn, with the conversation as meta `conversation_id`: a new one can be gone on with. */
export function fromTurnError({ error, conversationId }: FailedTurn): AppError {
  const { code, message, retryable, meta } = error;
  return new AppError(code, message, { retryable, meta: { ...meta, conversation_id: conversationId } });
}
