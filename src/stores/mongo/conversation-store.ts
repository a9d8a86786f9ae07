import type { Filter, UpdateFilter } from "mongodb";
import type { Step } from "../../core/assistant/step.ts";
import type { Conversation, NewConversation } from "../../core/chat/conversation.ts";
import type {
  BeginOutcome,
  ConversationStore,
  ListPosition,
  PlacedStep,
} from "../../core/chat/conversation-store.ts";
import type {
  CountedTurn,
  Lease,
  NewTurn,
  RunningTurn,
  Turn,
  TurnRef,
  TurnState,
} from "../../core/chat/turn.ts";
import type { Id } from "../../core/ids.ts";
import type { ModelCall } from "../../core/ledger/model-call.ts";
import { type MongoDatabase, repeatable } from "./client.ts";
import { address, Collections } from "./collections.ts";
import { countedUp, isBehind, sumsUpTo } from "./conversation-sums.ts";
import {
  type ConversationDocument,
  type TurnDocument,
  toConversation,
  toLeaseDocument,
  toMessageDocument,
  toRunningTurn,
  toStepDocument,
  toTurn,
} from "./documents.ts";
import { KnownConversations } from "./known-conversations.ts";
import { TurnStarter } from "./turn-starter.ts";
import { toCallDocument } from "./usage-documents.ts";

/**
 * Conversations in MongoDB, without transactions. A turn is one document, and each of its changes one
 * write. A conversation's document sums up its turns (turn_count, message_count, updated_at); it is
 * written after the turn, with $max, so that it can be written again, late and by anyone, and is never
 * ahead of the turns. What a process leaves behind when it dies:
 *
 * | after …                       | is left                                  | and mended by |
 * | ----------------------------- | ---------------------------------------- | ------------- |
 * | making the conversation       | one without turns, in no list            | the next beginTurn, which uses it |
 * | superseding a failed turn     | a failed turn that can't be reopened     | nothing: its failure stands |
 * | inserting the turn            | a running turn that is not counted       | findConversation; takeOverTurn |
 * | a step, a renewal             | a running turn, perhaps not counted      | findConversation; takeOverTurn |
 * | taking the turn over          | a running turn, perhaps not counted      | findConversation; the next takeOverTurn |
 * | ending the turn               | a turn or a reply that is not counted    | findConversation; the next beginTurn |
 *
 * A turn is counted at its end, and at its beginning too unless this process knows that the one before it is
 * counted. So at most the last turn is missing from the sums, and the first one is in them while it runs. A
 * conversation in the list may be as it was before the turn that runs in it; looked up by itself it never is.
 *
 * In a conversation that this process knows a turn makes four writes: the turn, its step, its end, the sums.
 */
export class MongoConversationStore implements ConversationStore {
  readonly #database: MongoDatabase;
  readonly #stored: Collections;
  readonly #known = new KnownConversations();
  readonly #starter: TurnStarter;

  constructor(database: MongoDatabase) {
    this.#database = database;
    this.#stored = new Collections(database.db);
    this.#starter = new TurnStarter(this.#stored, this.#known);
  }

  async beginTurn(
    turn: NewTurn,
    ifMissing?: NewConversation,
    calls: readonly ModelCall[] = [],
  ): Promise<BeginOutcome> {
    return this.#database.run((signal) => this.#starter.begin(turn, ifMissing, calls, signal));
  }

  async saveStep(
    ref: TurnRef,
    holder: string,
    index: number,
    step: Step,
    now: number,
    calls: readonly ModelCall[] = [],
  ): Promise<boolean> {
    return this.#updateHeld(ref, holder, noGapBefore(index), {
      $set: { [`steps.${index}`]: toStepDocument(step), updated_at: new Date(now) },
      ...takingDown(calls),
    });
  }

  async endTurn(
    turn: CountedTurn,
    holder: string,
    outcome: Exclude<TurnState, { state: "running" }>,
    now: number,
    calls: readonly ModelCall[] = [],
    lastStep?: PlacedStep,
  ): Promise<boolean> {
    const held = { ...heldBy(turn, holder), ...(lastStep && noGapBefore(lastStep.index)) };
    const update: UpdateFilter<TurnDocument> = {
      $set: {
        ...(lastStep && { [`steps.${lastStep.index}`]: toStepDocument(lastStep.step) }),
        ...outcomeFields(outcome),
        state: outcome.state,
        updated_at: new Date(now),
        usage_due: true,
      },
      ...takingDown(calls),
    };
    return this.#database.run(async (signal) => {
      const isDone = async () => {
        const stored = await this.#stored.turns.findOne(address(turn), { signal });
        return stored?.state === outcome.state && stored.lease.holder === holder;
      };
      const hasEnded = await this.#stored.turnWrites.update({ filter: held, update, isDone }, signal);
      if (hasEnded) {
        const sums = sumsUpTo({ ...turn, state: outcome.state, updatedAt: now });
        await this.#stored.count(turn.conversationId, sums, signal);
        if (outcome.state === "completed") this.#known.completed(turn.conversationId, sums);
      }
      return hasEnded;
    });
  }

  async recordCalls(ref: TurnRef, calls: readonly ModelCall[]): Promise<void> {
    if (calls.length === 0) return;
    const update = { $set: { usage_due: true as const }, ...takingDown(calls) };
    await this.#database.run((signal) =>
      this.#stored.turnWrites.update({ filter: address(ref), update }, signal),
    );
  }

  async renewLease(ref: TurnRef, holder: string, expiresAt: number): Promise<boolean> {
    return this.#updateHeld(ref, holder, {}, { $set: { "lease.expires_at": new Date(expiresAt) } });
  }

  async takeOverTurn(ref: TurnRef, lease: Lease, now: number): Promise<RunningTurn | undefined> {
    const expired = { state: "running" as const, "lease.expires_at": { $lte: new Date(now) } };
    return this.#setRunning(ref, expired, lease, now, { $inc: { attempts: 1 } });
  }

  async reopenTurn(
    ref: TurnRef,
    updatedAt: number,
    lease: Lease,
    now: number,
  ): Promise<RunningTurn | undefined> {
    const lastAndUnchanged = {
      state: "failed" as const,
      updated_at: new Date(updatedAt),
      superseded: { $exists: false },
    };
    return this.#setRunning(ref, lastAndUnchanged, lease, now, {
      $set: { attempts: 1 },
      $unset: { error: true },
    });
  }

  async listExpiredTurns(now: number, limit: number): Promise<TurnRef[]> {
    return this.#database.read(async (signal) => {
      const turns = await this.#stored.turns
        .find({ state: "running", "lease.expires_at": { $lte: new Date(now) } }, { signal })
        .project<Pick<TurnDocument, "conversation_id" | "seq">>({ conversation_id: 1, seq: 1 })
        .sort({ "lease.expires_at": 1 })
        .limit(limit)
        .toArray();
      return turns.map(({ conversation_id, seq }) => ({ conversationId: conversation_id, seq }));
    });
  }

  async findTurn(ref: TurnRef): Promise<Turn | undefined> {
    return this.#findTurn(address(ref));
  }

  async findTurnByKey(owner: string, idempotencyKey: string): Promise<Turn | undefined> {
    return this.#findTurn({ owner, idempotency_key: idempotencyKey });
  }

  async listTurns(conversationId: Id, fromSeq: number, toSeq: number): Promise<Turn[]> {
    return this.#database.read(async (signal) => {
      const filter = { conversation_id: conversationId, seq: { $gte: fromSeq, $lte: toSeq } };
      const turns = await this.#stored.turns.find(filter, { signal }).sort({ seq: 1 }).toArray();
      return turns.map(toTurn);
    });
  }

  async findConversation(owner: string, id: Id): Promise<Conversation | undefined> {
    return this.#database.read(async (signal) => {
      const conversation = await this.#stored.conversations.findOne({ _id: id, owner }, { signal });
      if (!conversation) return undefined;
      const last = await this.#stored.lastTurn(conversation, signal);
      const stored = toConversation(conversation);
      if (!last) return stored;
      const sums = sumsUpTo(toTurn(last));
      if (isBehind(stored, sums)) await this.#stored.count(id, sums, signal);
      return countedUp(stored, sums);
    });
  }

  async listConversations(owner: string, limit: number, after?: ListPosition): Promise<Conversation[]> {
    return this.#database.read(async (signal) => {
      const conversations = await this.#stored.conversations
        .find({ owner, turn_count: { $gt: 0 }, ...(after && following(after)) }, { signal })
        .sort({ created_at: -1, _id: -1 })
        .limit(limit)
        .toArray();
      return conversations.map(toConversation);
    });
  }

  async setTitle(ref: TurnRef, title: string, calls: readonly ModelCall[] = []): Promise<void> {
    const change = {
      filter: { _id: ref.conversationId, title_state: "pending" as const },
      update: { $set: { title, title_state: "final" as const } },
    };
    const [, isGiven] = await Promise.all([
      this.recordCalls(ref, calls),
      this.#database.run((signal) => this.#stored.conversationWrites.update(change, signal)),
    ]);
    if (isGiven) this.#known.titled(ref.conversationId, title);
  }

  async ping(): Promise<void> {
    await this.#database.read((signal) => this.#database.db.command({ ping: 1 }, { signal }));
  }

  async #updateHeld(
    ref: TurnRef,
    holder: string,
    condition: Filter<TurnDocument>,
    update: UpdateFilter<TurnDocument>,
  ): Promise<boolean> {
    const filter = { ...heldBy(ref, holder), ...condition };
    return this.#database.run((signal) => this.#stored.turnWrites.update({ filter, update }, signal));
  }

  async #setRunning(
    ref: TurnRef,
    condition: Filter<TurnDocument>,
    lease: Lease,
    now: number,
    update: UpdateFilter<TurnDocument>,
  ): Promise<RunningTurn | undefined> {
    const running = { state: "running" as const, lease: toLeaseDocument(lease), updated_at: new Date(now) };
    const isOurs = ({ state, lease: { holder } }: TurnDocument) =>
      state === "running" && holder === lease.holder;
    return this.#database.run(async (signal) => {
      const filter = { ...address(ref), ...condition };
      const change = { ...update, $set: { ...update.$set, ...running } };
      let isAgain = false;
      // One command, not the grouped write and a read: between them, a failure would use an attempt up.
      const stored = await repeatable(async () => {
        const mayBeOurs = isAgain;
        isAgain = true;
        const set = await this.#stored.turns.findOneAndUpdate(filter, change, { returnDocument: "after" });
        if (set || !mayBeOurs) return set;
        const turn = await this.#stored.turns.findOne(address(ref), { signal });
        return turn && isOurs(turn) ? turn : null;
      }, signal);
      if (!stored) return undefined;
      const turn = toRunningTurn(stored);
      await this.#stored.count(turn.conversationId, sumsUpTo(turn), signal);
      return turn;
    });
  }

  async #findTurn(filter: Filter<TurnDocument>): Promise<Turn | undefined> {
    return this.#database.read(async (signal) => {
      const turn = await this.#stored.turns.findOne(filter, { signal });
      return turn ? toTurn(turn) : undefined;
    });
  }
}

function noGapBefore(index: number) {
  return index === 0 ? {} : { [`steps.${index - 1}`]: { $exists: true } };
}

function heldBy(ref: TurnRef, holder: string) {
  return { ...address(ref), state: "running" as const, "lease.holder": holder };
}

function outcomeFields(outcome: Exclude<TurnState, { state: "running" }>): Partial<TurnDocument> {
  return outcome.state === "completed"
    ? { reply: toMessageDocument(outcome.reply) }
    : { error: outcome.error };
}

/** The part of a turn's update that adds to the log of its calls. */
function takingDown(calls: readonly ModelCall[]): UpdateFilter<TurnDocument> {
  if (calls.length === 0) return {};
  return { $push: { calls: { $each: calls.map(toCallDocument) } }, $inc: { calls_written: calls.length } };
}

function following({ createdAt, id }: ListPosition): Filter<ConversationDocument> {
  const at = new Date(createdAt);
  // The outer bound is for the index; the rest only tells rows of one millisecond apart.
  return { created_at: { $lte: at }, $or: [{ created_at: { $lt: at } }, { _id: { $lt: id } }] };
}
