import type { Collection, OptionalUnlessRequiredId } from "mongodb";
import type {
  BackupRecord,
  BackupSource,
  BackupTarget,
  RestoreBatch,
  RestoredTurn,
  StoredSession,
} from "../../backup/ports.ts";
import type { Conversation } from "../../core/chat/conversation.ts";
import type { UsageRow } from "../../core/ledger/model-call.ts";
import type { MongoDatabase } from "./client.ts";
import { sumsUpTo } from "./conversation-sums.ts";
import {
  type ConversationDocument,
  type SessionDocument,
  type TurnDocument,
  toConversation,
  toMessageDocument,
  toStepDocument,
  toTurn,
  turnDocumentId,
} from "./documents.ts";
import { CALLS, heldCalls, MongoLedger } from "./ledger.ts";
import { type HeldCall, mergeUsage } from "./merge-usage.ts";
import { toUsageRow, type UsageRowDocument } from "./usage-documents.ts";

/** Documents of one read of conversations or sessions, which are small, and of one deletion. */
const PAGE = 1_000;
/** Turns of one read. */
const TURN_PAGE = 50;

/** The lease that every turn has: of nobody, and long expired. */
const NO_LEASE = { holder: "restored", expires_at: new Date(0) };

/**
 * Reads MongoDB while others write to it, without a snapshot. For each conversation it reads its
 * document, then its last turn L, then the turns before L:
 *
 * - A turn is begun only when all before it have ended for good: completed, or failed and superseded. So
 *   once L was read the turns 1 to L-1 can't change, whenever they are read, and there is no gap in them.
 * - L itself is taken as it was read, and the conversation's sums are counted from it. What comes after L
 *   is left out.
 * - Sums are written after the turns that they count, and the document was read before L: so what is
 *   found in it is never ahead of L.
 *
 * Pages go by ranges of keys, which no write in between can shift.
 */
export class MongoBackupSource implements BackupSource {
  readonly #database: MongoDatabase;
  readonly #conversations: Collection<ConversationDocument>;
  readonly #turns: Collection<TurnDocument>;
  readonly #sessions: Collection<SessionDocument>;
  readonly #rows: Collection<UsageRowDocument>;

  constructor(database: MongoDatabase) {
    this.#database = database;
    this.#conversations = database.db.collection("conversations");
    this.#turns = database.db.collection("turns");
    this.#sessions = database.db.collection("sessions");
    this.#rows = database.db.collection("usage");
  }

  async countTurns(): Promise<number> {
    return this.#database.run(() => this.#turns.estimatedDocumentCount());
  }

  async *records(): AsyncGenerator<BackupRecord> {
    for await (const conversation of this.#byKey(this.#conversations)) yield* this.#whole(conversation);
    for await (const { _id, conversation_id, expires_at } of this.#byKey(this.#sessions)) {
      const session = { key: _id, conversationId: conversation_id, expiresAt: expires_at.getTime() };
      yield { type: "session", session };
    }
    yield* this.#usage();
  }

  /**
   * What turns hold of their calls is read before the rows of the ledger: so nothing is missed that is on
   * its way from there to here.
   */
  async *#usage(): AsyncGenerator<BackupRecord> {
    const held: HeldCall[] = [];
    for (const filter of [{ state: "running" as const }, { usage_due: true as const }]) {
      const turns = await this.#database.run((signal) =>
        this.#turns.find(filter, { projection: CALLS, signal }).toArray(),
      );
      // One by one: a ledger that is far behind has more than fit into the arguments of one call.
      for (const turn of turns) held.push(...heldCalls(turn));
    }
    for await (const row of mergeUsage(held, this.#ledger())) yield { type: "usage", row };
  }

  async *#ledger(): AsyncGenerator<UsageRow> {
    for await (const row of this.#byKey(this.#rows)) yield toUsageRow(row);
  }

  async *#whole(conversation: ConversationDocument): AsyncGenerator<BackupRecord> {
    const last = await this.#lastTurn(conversation);
    if (!last) {
      // Made, but without a turn yet: it is in no list either.
      if (conversation.turn_count === 0) return;
      throw new Error(
        `Conversation ${conversation._id} counts ${conversation.turn_count} turns, and the last one is missing.`,
      );
    }
    const sums = sumsUpTo(toTurn(last));
    const updatedAt = Math.max(conversation.updated_at.getTime(), sums.updatedAt);
    yield { type: "conversation", conversation: { ...toConversation(conversation), ...sums, updatedAt } };
    for (let seq = 1; seq < last.seq; seq += TURN_PAGE) {
      const page = { $gte: seq, $lt: Math.min(seq + TURN_PAGE, last.seq) };
      const filter = { conversation_id: conversation._id, seq: page };
      const turns = await this.#database.run((signal) =>
        this.#turns.find(filter, { signal }).sort({ seq: 1 }).toArray(),
      );
      for (const turn of turns) yield { type: "turn", turn: toTurn(turn) };
    }
    yield { type: "turn", turn: toTurn(last) };
  }

  #lastTurn({ _id, turn_count }: ConversationDocument): Promise<TurnDocument | null> {
    const filter = { conversation_id: _id, seq: { $gte: turn_count } };
    return this.#database.run((signal) => this.#turns.findOne(filter, { sort: { seq: -1 }, signal }));
  }

  async *#byKey<T extends ConversationDocument | SessionDocument | UsageRowDocument>(
    collection: Collection<T>,
  ) {
    const all = collection as unknown as Collection<{ _id: string }>;
    let after: string | undefined = "";
    while (after !== undefined) {
      const filter: { _id: { $gt: string } } = { _id: { $gt: after } };
      const page: { _id: string }[] = await this.#database.run((signal) =>
        all.find(filter, { signal }).sort({ _id: 1 }).limit(PAGE).toArray(),
      );
      yield* page as T[];
      after = page.at(-1)?._id;
    }
  }
}

/** Restores into MongoDB. A write whose answer is lost ends the restore: `clear`, and begin again. */
export class MongoBackupTarget implements BackupTarget {
  readonly #database: MongoDatabase;
  readonly #conversations: Collection<ConversationDocument>;
  readonly #turns: Collection<TurnDocument>;
  readonly #sessions: Collection<SessionDocument>;
  readonly #ledger: MongoLedger;

  constructor(database: MongoDatabase) {
    this.#database = database;
    this.#conversations = database.db.collection("conversations");
    this.#turns = database.db.collection("turns");
    this.#sessions = database.db.collection("sessions");
    this.#ledger = new MongoLedger(database);
  }

  async isEmpty(): Promise<boolean> {
    return this.#database.run(async (signal) => {
      const found = await Promise.all([
        this.#conversations.findOne({}, { signal }),
        this.#turns.findOne({}, { signal }),
        this.#sessions.findOne({}, { signal }),
        this.#ledger.rows.findOne({}, { signal }),
      ]);
      return found.every((document) => document === null);
    });
  }

  async clear(): Promise<void> {
    await this.#clear(this.#ledger.hours);
    await this.#clear(this.#ledger.rows);
    await this.#clear(this.#sessions);
    await this.#clear(this.#turns);
    await this.#clear(this.#conversations);
  }

  async insert({ conversations, turns, sessions, usage }: RestoreBatch): Promise<void> {
    await this.#insert(this.#conversations, conversations.map(conversationDocument));
    await this.#insert(this.#turns, turns.map(turnDocument));
    await this.#insert(this.#sessions, sessions.map(sessionDocument));
    await this.#ledger.insert(usage);
  }

  /** In pages, as each has to be done within the time of one call. */
  async #clear<T extends { _id: string }>(collection: Collection<T>): Promise<void> {
    const all = collection as unknown as Collection<{ _id: string }>;
    for (let more = true; more; ) {
      more = await this.#database.run(async (signal) => {
        const page = await all
          .find({}, { projection: { _id: 1 }, signal })
          .limit(PAGE)
          .toArray();
        await all.deleteMany({ _id: { $in: page.map(({ _id }) => _id) } });
        return page.length === PAGE;
      });
    }
  }

  async #insert<T extends { _id: string }>(
    collection: Collection<T>,
    documents: OptionalUnlessRequiredId<T>[],
  ): Promise<void> {
    if (documents.length > 0) await this.#database.run(() => collection.insertMany(documents));
  }
}

function conversationDocument(conversation: Conversation): ConversationDocument {
  return {
    _id: conversation.id,
    owner: conversation.owner,
    title: conversation.title,
    title_state: conversation.titleState,
    turn_count: conversation.turnCount,
    message_count: conversation.messageCount,
    created_at: new Date(conversation.createdAt),
    updated_at: new Date(conversation.updatedAt),
  };
}

function turnDocument({ turn, isLast }: RestoredTurn): TurnDocument {
  return {
    _id: turnDocumentId(turn),
    turn_id: turn.id,
    conversation_id: turn.conversationId,
    seq: turn.seq,
    owner: turn.owner,
    idempotency_key: turn.idempotencyKey,
    request_hash: turn.requestHash,
    message_offset: turn.messageOffset,
    user: toMessageDocument(turn.user),
    user_locale: turn.userLocale,
    platform: turn.platform,
    user_id: turn.userId,
    steps: turn.steps.map(toStepDocument),
    state: turn.state,
    ...(turn.state === "completed"
      ? { reply: toMessageDocument(turn.reply) }
      : { error: turn.error, superseded: isLast ? undefined : true }),
    lease: NO_LEASE,
    attempts: turn.attempts,
    created_at: new Date(turn.createdAt),
    updated_at: new Date(turn.updatedAt),
  };
}

function sessionDocument({ key, conversationId, expiresAt }: StoredSession): SessionDocument {
  return { _id: key, conversation_id: conversationId, expires_at: new Date(expiresAt) };
}
