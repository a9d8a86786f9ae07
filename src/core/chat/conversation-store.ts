import type { Step } from "../assistant/step.ts";
import type { Id } from "../ids.ts";
import type { ModelCall } from "../ledger/model-call.ts";
import type { Conversation, NewConversation } from "./conversation.ts";
import type { CountedTurn, Lease, NewTurn, RunningTurn, Turn, TurnRef, TurnState } from "./turn.ts";

export type BeginOutcome =
  | { readonly type: "begun"; readonly turn: RunningTurn; readonly conversation: Conversation }
  /** The conversation has this turn running: only one can run at a time. */
  | { readonly type: "busy"; readonly running: RunningTurn }
  /**
   * The owner has this turn with the same idempotency key: in the conversation, or, where `ifMissing` is given,
   * in any. Such a request names no conversation, and may have come before while its session was in another.
   */
  | { readonly type: "duplicate"; readonly turn: Turn };

/** A step with its place among those of its turn: 0 to their number, in place of what is there. */
export interface PlacedStep {
  readonly index: number;
  readonly step: Step;
}

/** A place in the list of conversations, which is ordered by creation, newest first. */
export type ListPosition = Pick<Conversation, "createdAt" | "id">;

/**
 * Conversations and their turns, durable: the port that every store implements.
 *
 * A write resolves only once it would survive a power cut. Each write of a turn is one atomic
 * change of one document. Writes that take a lease's `holder` happen only while that holder still
 * holds the turn, and return false otherwise, having changed nothing. Failures of the store itself
 * are thrown as an AppError `unavailable`.
 *
 * Model calls that are given to a write are durable with it. Once their turn has ended the ledger has one
 * row for each, soon and exactly once, with what was last said of it: `open` if nothing more was. A call
 * may be given again, to the same turn and in the order in which it got on.
 */
export interface ConversationStore {
  /**
   * Adds a turn, `running`, after the conversation's last one; first makes the conversation from
   * `ifMissing` when there is none with that id.
   *
   * @param calls the turn's first. A call for a title is only made, and taken down, while the conversation's
   *   title is pending.
   * @throws AppError `not_found` when there is no such conversation of `turn.owner`.
   */
  beginTurn(turn: NewTurn, ifMissing?: NewConversation, calls?: readonly ModelCall[]): Promise<BeginOutcome>;
  /** Puts `step` at `index` of the turn's steps: 0 to their number, in place of what is there. */
  saveStep(
    ref: TurnRef,
    holder: string,
    index: number,
    step: Step,
    now: number,
    calls?: readonly ModelCall[],
  ): Promise<boolean>;
  /** Ends a running turn, with the last of its steps where that is not saved yet. */
  endTurn(
    turn: CountedTurn,
    holder: string,
    outcome: Exclude<TurnState, { state: "running" }>,
    now: number,
    calls?: readonly ModelCall[],
    lastStep?: PlacedStep,
  ): Promise<boolean>;
  /** Takes calls of a turn down that no other write carries, whoever holds it, and also when it has ended. */
  recordCalls(ref: TurnRef, calls: readonly ModelCall[]): Promise<void>;
  renewLease(ref: TurnRef, holder: string, expiresAt: number): Promise<boolean>;
  /** Takes over a running turn whose lease has expired at `now`, and counts the attempt; undefined when it has not. */
  takeOverTurn(ref: TurnRef, lease: Lease, now: number): Promise<RunningTurn | undefined>;
  /**
   * Sets a failed turn running again, as a first attempt; undefined when it is not failed, when it is not the
   * conversation's last turn, or when it was changed after `updatedAt`.
   */
  reopenTurn(ref: TurnRef, updatedAt: number, lease: Lease, now: number): Promise<RunningTurn | undefined>;
  /** Running turns whose leases have expired at `now`, of any owner. */
  listExpiredTurns(now: number, limit: number): Promise<TurnRef[]>;

  findTurn(ref: TurnRef): Promise<Turn | undefined>;
  findTurnByKey(owner: string, idempotencyKey: string): Promise<Turn | undefined>;
  /** Turns with `fromSeq <= seq <= toSeq`, in order. */
  listTurns(conversationId: Id, fromSeq: number, toSeq: number): Promise<Turn[]>;

  findConversation(owner: string, id: Id): Promise<Conversation | undefined>;
  /** Newest first, strictly after `after` in that order. */
  listConversations(owner: string, limit: number, after?: ListPosition): Promise<Conversation[]>;
  /**
   * Makes the title of the turn's conversation final, unless it already is.
   *
   * @param calls the turn's for the title, which are taken down in any case.
   */
  setTitle(ref: TurnRef, title: string, calls?: readonly ModelCall[]): Promise<void>;

  /** Resolves when the store can serve, else throws. */
  ping(): Promise<void>;
}
