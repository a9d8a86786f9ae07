import type { Collection, Filter, UpdateFilter } from "mongodb";
import type { Step } from "../../core/assistant/step.ts";
import {
  type Conversation,
  conversationNotFound,
  type NewConversation,
} from "../../core/chat/conversation.ts";
import type {
  BeginOutcome,
  ConversationStore,
  ListPosition,
  PlacedStep,
} from "../../core/chat/conversation-store.ts";
import type { Lease, NewTurn, RunningTurn, Turn, TurnRef, TurnState } from "../../core/chat/turn.ts";
import type { Id } from "../../core/ids.ts";
import type { ModelCall } from "../../core/ledger/model-call.ts";
import { insert, isAnswerLost, type MongoDatabase, repeatable } from "./client.ts";
import {
  type ConversationDocument,
  lastMessageAt,
  messagesUpTo,
  newConversationDocument,
  newTurnDocument,
  type TurnDocument,
  toConversation,
  toLeaseDocument,
  toMessageDocument,
  toRunningTurn,
  toStepDocument,
  toTurn,
} from "./documents.ts";
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
 * | inserting the turn            | a running turn that is not counted       | findConversation; takeOverTurn, before the turn can end |
 * | counting the turn             | a running turn                           | takeOverTurn |
 * | a step, a renewal             | a running turn                           | takeOverTurn |
 * | taking the turn over          | a running turn, perhaps not counted      | findConversation; the next takeOverTurn |
 * | ending the turn               | a reply that is not counted              | findConversation; the next beginTurn |
 *
 * So a turn that has ended is in turn_count, and at most the last turn is missing from the sums.
 */
export class MongoConversationStore implements ConversationStore {
  readonly #database: MongoDatabase;
  readonly #conversations: Collection<ConversationDocument>;
  readonly #turns: Collection<TurnDocument>;

  constructor(database: MongoDatabase) {
    this.#database = database;
    this.#conversations = database.db.collection<ConversationDocument>("conversations");
    this.#turns = database.db.collection<TurnDocument>("turns");
  }

  async beginTurn(
    turn: NewTurn,
    ifMissing?: NewConversation,
    calls: readonly ModelCall[] = [],
  ): Promise<BeginOutcome> {
    return this.#database.run(async (signal) => {
      // Each round reads how things stand and tries one insert. When that is refused, or its answer is
      // lost, what there is now tells why: no error's text, which servers word differently.
      for (;;) {
        const conversation = await this.#conversations.findOne({ _id: turn.conversationId }, { signal });
        if (!conversation && ifMissing) {
          await insert(this.#conversations, newConversationDocument(ifMissing), signal);
          continue;
        }
        if (conversation?.owner !== turn.owner) throw conversationNotFound();

        // In this order: a running turn that has the key itself must be found by it.
        const last = await this.#lastTurn(conversation, signal);
        const keyed = await this.#keyedTurn(turn, signal);
        if (last?.lease.holder === turn.lease.holder) return this.#begun(last, signal);
        if (keyed) return { type: "duplicate", turn: toTurn(keyed) };
        if (last?.state === "running") return { type: "busy", running: toRunningTurn(last) };
        if (last?.state === "failed" && !(await this.#supersede(last, signal))) continue;

        const made = calls.filter(
          ({ operation }) => operation !== "title" || conversation.title_state === "pending",
        );
        const document = newTurnDocument(turn, last ?? undefined, made);
        if (await insert(this.#turns, document, signal)) return this.#begun(document, signal);
      }
    });
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
    ref: TurnRef,
    holder: string,
    outcome: Exclude<TurnState, { state: "running" }>,
    now: number,
    calls: readonly ModelCall[] = [],
    lastStep?: PlacedStep,
  ): Promise<boolean> {
    return this.#database.run(async (signal) => {
      const ended = await this.#change(
        ref,
        { state: "running", "lease.holder": holder, ...(lastStep && noGapBefore(lastStep.index)) },
        {
          $set: {
            ...(lastStep && { [`steps.${lastStep.index}`]: toStepDocument(lastStep.step) }),
            ...outcomeFields(outcome),
            state: outcome.state,
            updated_at: new Date(now),
            usage_due: true,
          },
          ...takingDown(calls),
        },
        (turn) => turn.state !== "running" && turn.lease.holder === holder,
        signal,
      );
      if (ended?.state === "completed") await this.#count(ended, signal);
      return ended !== undefined;
    });
  }

  async recordCalls(ref: TurnRef, calls: readonly ModelCall[]): Promise<void> {
    if (calls.length === 0) return;
    const update = { $set: { usage_due: true as const }, ...takingDown(calls) };
    await this.#database.run((signal) =>
      repeatable(() => this.#turns.updateOne(address(ref), update), signal),
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
      const turns = await this.#turns
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
      const turns = await this.#turns.find(filter, { signal }).sort({ seq: 1 }).toArray();
      return turns.map(toTurn);
    });
  }

  async findConversation(owner: string, id: Id): Promise<Conversation | undefined> {
    return this.#database.read(async (signal) => {
      const conversation = await this.#conversations.findOne({ _id: id, owner }, { signal });
      if (!conversation) return undefined;
      const last = await this.#lastTurn(conversation, signal);
      if (last && isBehind(conversation, last)) return toConversation(await this.#count(last, signal));
      return toConversation(conversation);
    });
  }

  async listConversations(owner: string, limit: number, after?: ListPosition): Promise<Conversation[]> {
    return this.#database.read(async (signal) => {
      const conversations = await this.#conversations
        .find({ owner, turn_count: { $gt: 0 }, ...(after && following(after)) }, { signal })
        .sort({ created_at: -1, _id: -1 })
        .limit(limit)
        .toArray();
      return conversations.map(toConversation);
    });
  }

  async setTitle(ref: TurnRef, title: string, calls: readonly ModelCall[] = []): Promise<void> {
    const filter = { _id: ref.conversationId, title_state: "pending" as const };
    const update = { $set: { title, title_state: "final" as const } };
    await Promise.all([
      this.recordCalls(ref, calls),
      this.#database.run((signal) => repeatable(() => this.#conversations.updateOne(filter, update), signal)),
    ]);
  }

  async ping(): Promise<void> {
    await this.#database.read((signal) => this.#database.db.command({ ping: 1 }, { signal }));
  }

  /** The conversation's last turn, also when it is not counted yet; bounded by its index at any length. */
  #lastTurn(conversation: ConversationDocument, signal: AbortSignal): Promise<TurnDocument | null> {
    const filter = { conversation_id: conversation._id, seq: { $gte: conversation.turn_count } };
    return this.#turns.findOne(filter, { sort: { seq: -1 }, signal });
  }

  async #keyedTurn(turn: NewTurn, signal: AbortSignal): Promise<TurnDocument | null> {
    const { conversationId, idempotencyKey } = turn;
    if (idempotencyKey === undefined) return null;
    const filter = { conversation_id: conversationId, idempotency_key: idempotencyKey };
    return this.#turns.findOne(filter, { signal });
  }

  async #begun(turn: TurnDocument, signal: AbortSignal): Promise<BeginOutcome> {
    const conversation = toConversation(await this.#count(turn, signal));
    // As it was when the turn's calls were taken down: it may have got its title since.
    const titleState = turn.calls?.some(({ operation }) => operation === "title")
      ? "pending"
      : conversation.titleState;
    return { type: "begun", turn: toRunningTurn(turn), conversation: { ...conversation, titleState } };
  }

  /** Brings the conversation's sums up to this turn. */
  async #count(turn: TurnDocument, signal: AbortSignal): Promise<ConversationDocument> {
    const sums = {
      turn_count: turn.seq,
      message_count: messagesUpTo(turn),
      updated_at: lastMessageAt(turn),
    };
    const filter = { _id: turn.conversation_id };
    const conversation = await repeatable(
      () => this.#conversations.findOneAndUpdate(filter, { $max: sums }, { returnDocument: "after" }),
      signal,
    );
    if (!conversation) throw new Error(`Turn ${turn._id} has no conversation`);
    return conversation;
  }

  /**
   * Closes a failed turn for good, before a turn is put after it: otherwise it could be reopened, and
   * gain a reply, between this process's reading of it and the insert that builds on what was read.
   */
  async #supersede(turn: TurnDocument, signal: AbortSignal): Promise<boolean> {
    const filter = { ...addressOf(turn), state: "failed" as const };
    const write = () => this.#turns.updateOne(filter, { $set: { superseded: true } });
    const { matchedCount } = await repeatable(write, signal);
    return matchedCount > 0;
  }

  async #updateHeld(
    ref: TurnRef,
    holder: string,
    condition: Filter<TurnDocument>,
    update: UpdateFilter<TurnDocument>,
  ): Promise<boolean> {
    const filter = { ...address(ref), state: "running" as const, "lease.holder": holder, ...condition };
    return this.#database.run(async (signal) => {
      const { matchedCount } = await repeatable(() => this.#turns.updateOne(filter, update), signal);
      return matchedCount > 0;
    });
  }

  async #setRunning(
    ref: TurnRef,
    condition: Filter<TurnDocument>,
    lease: Lease,
    now: number,
    update: UpdateFilter<TurnDocument>,
  ): Promise<RunningTurn | undefined> {
    const running = { state: "running" as const, lease: toLeaseDocument(lease), updated_at: new Date(now) };
    return this.#database.run(async (signal) => {
      const turn = await this.#change(
        ref,
        condition,
        { ...update, $set: { ...update.$set, ...running } },
        ({ state, lease: { holder } }) => state === "running" && holder === lease.holder,
        signal,
      );
      if (!turn) return undefined;
      await this.#count(turn, signal);
      return toRunningTurn(turn);
    });
  }

  /**
   * Changes a turn, once; undefined when the condition does not hold.
   *
   * @param isDone whether a turn shows that this very change was made: read when its answer is lost.
   */
  async #change(
    ref: TurnRef,
    condition: Filter<TurnDocument>,
    update: UpdateFilter<TurnDocument>,
    isDone: (turn: TurnDocument) => boolean,
    signal: AbortSignal,
  ): Promise<TurnDocument | undefined> {
    const filter = { ...address(ref), ...condition };
    const write = async () => {
      signal.throwIfAborted();
      return (await this.#turns.findOneAndUpdate(filter, update, { returnDocument: "after" })) ?? undefined;
    };
    try {
      return await write();
    } catch (error) {
      if (!isAnswerLost(error)) throw error;
      const turn = await this.#turns.findOne(address(ref), { signal });
      return turn && isDone(turn) ? turn : write();
    }
  }

  async #findTurn(filter: Filter<TurnDocument>): Promise<Turn | undefined> {
    return this.#database.read(async (signal) => {
      const turn = await this.#turns.findOne(filter, { signal });
      return turn ? toTurn(turn) : undefined;
    });
  }
}

/** Every access to one turn starts with this: with the shard key, then the index that finds it. */
function noGapBefore(index: number) {
  return index === 0 ? {} : { [`steps.${index - 1}`]: { $exists: true } };
}

function address({ conversationId, seq }: TurnRef) {
  return { conversation_id: conversationId, seq };
}

function addressOf({ conversation_id, seq }: TurnDocument) {
  return { conversation_id, seq };
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

function isBehind(conversation: ConversationDocument, last: TurnDocument): boolean {
  return (
    conversation.turn_count < last.seq ||
    conversation.message_count < messagesUpTo(last) ||
    conversation.updated_at < lastMessageAt(last)
  );
}

function following({ createdAt, id }: ListPosition): Filter<ConversationDocument> {
  const at = new Date(createdAt);
  // The outer bound is for the index; the rest only tells rows of one millisecond apart.
  return { created_at: { $lte: at }, $or: [{ created_at: { $lt: at } }, { _id: { $lt: id } }] };
}
