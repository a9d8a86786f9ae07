import { type Collection, MongoBulkWriteError, type OptionalUnlessRequiredId } from "mongodb";
import { digest, type Id } from "../../core/ids.ts";
import { outcomeOfEach, toUsageRow, type UsageRow } from "../../core/ledger/model-call.ts";
import { DAY_MS, type UsageKey, usageKey } from "../../core/ledger/usage-sums.ts";
import { DUPLICATE_KEY, type MongoDatabase, repeatable } from "./client.ts";
import type { TurnDocument } from "./documents.ts";
import type { HeldCall } from "./merge-usage.ts";
import {
  toCall,
  toUsageRowDocument,
  type UsageHourDocument,
  type UsageRowDocument,
} from "./usage-documents.ts";

/** Turns that are entered at a time. */
const BATCH = 200;

type TurnOfCalls = Pick<
  TurnDocument,
  "turn_id" | "conversation_id" | "seq" | "owner" | "platform" | "user_id" | "calls" | "calls_written"
>;

/**
 * Brings model calls from their turns into the ledger. A turn's own document keeps the log of its calls,
 * written with the rest of it in one piece; once it has ended, the log is copied to collection `usage`, a
 * document for each call. There is no transaction over both, so each step can be done again, also by
 * several processes at once, and comes to the same:
 *
 * 1. Rows are inserted where there is none of that id; what is known of a call replaces `interrupted`.
 * 2. The versions of the hours that they belong to are counted up: whatever sums there are, are stale.
 * 3. The log is removed, unless it has grown since it was read.
 *
 * A crash before 3 leaves the log where it was, for whoever comes next.
 */
export class MongoLedger {
  readonly #database: MongoDatabase;
  readonly #turns: Collection<TurnDocument>;
  readonly rows: Collection<UsageRowDocument>;
  readonly hours: Collection<UsageHourDocument>;

  constructor(database: MongoDatabase) {
    this.#database = database;
    this.#turns = database.db.collection("turns");
    this.rows = database.db.collection("usage");
    this.hours = database.db.collection("usage_hours");
  }

  /** Enters the calls of all turns that have ended, some at a time, until `signal` aborts. */
  async enterAll(signal?: AbortSignal): Promise<void> {
    let entered = BATCH;
    while (entered === BATCH && !signal?.aborted) entered = await this.#enterSome();
  }

  /** Adds rows that are not there yet. */
  async insert(rows: readonly UsageRow[]): Promise<void> {
    await insertMissing(this.#database, this.rows, rows.map(toUsageRowDocument));
    await this.#outdate(rows.map(usageKey));
  }

  async #enterSome(): Promise<number> {
    const due = { usage_due: true as const, state: { $in: ["completed" as const, "failed" as const] } };
    const turns = await this.#database.read((signal) =>
      this.#turns.find(due, { projection: CALLS, signal }).limit(BATCH).toArray(),
    );
    await this.#enter(turns);
    if (turns.length === 0) return 0;
    await this.#removeLogs(turns);
    return turns.length;
  }

  /** An update for each turn: FerretDB checks whether a log has grown meanwhile in those of one document alone. */
  async #removeLogs(turns: readonly TurnOfCalls[]): Promise<void> {
    const removals = turns.map(({ conversation_id, seq, calls_written = { $exists: false } }) => ({
      updateOne: {
        filter: { conversation_id, seq, calls_written },
        update: { $unset: { calls: true as const, usage_due: true as const } },
      },
    }));
    await this.#database.run((signal) =>
      repeatable(() => this.#turns.bulkWrite(removals, { ordered: false }), signal),
    );
  }

  async #enter(turns: readonly TurnOfCalls[]): Promise<void> {
    const entries = turns.flatMap(heldCalls);
    const rows = entries.flatMap(({ row }) => row ?? []);
    const present = await insertMissing(this.#database, this.rows, rows.map(toUsageRowDocument));
    await this.#correct(
      present.filter(({ status }) => status !== "interrupted"),
      entries.flatMap(({ id, row }) => (row ? [] : [id])),
    );
    await this.#outdate(entries.map(({ key }) => key));
  }

  /** What is known of a call in the end takes the place of a row that says it was interrupted. */
  async #correct(rows: readonly UsageRowDocument[], unsent: readonly Id[]): Promise<void> {
    const status = "interrupted" as const;
    const corrections = [
      ...rows.map((row) => ({ replaceOne: { filter: { _id: row._id, status }, replacement: row } })),
      ...unsent.map((_id) => ({ deleteOne: { filter: { _id, status } } })),
    ];
    if (corrections.length === 0) return;
    await this.#database.run((signal) =>
      repeatable(() => this.rows.bulkWrite(corrections, { ordered: false }), signal),
    );
  }

  async #outdate(keys: readonly UsageKey[]): Promise<void> {
    const hours = new Map(keys.map((key) => [hourId(key), key]));
    const ids = [...hours.keys()];
    if (ids.length === 0) return;
    const countUp = async () => {
      const update = { $inc: { version: 1 }, $set: { stale: true as const } };
      return this.#database.run((signal) =>
        repeatable(() => this.hours.updateMany({ _id: { $in: ids } }, update), signal),
      );
    };
    const { matchedCount } = await countUp();
    if (matchedCount === ids.length) return;
    await insertMissing(
      this.#database,
      this.hours,
      [...hours].map(([id, key]) => newHour(id, key)),
    );
    await countUp();
  }
}

/** The projection of what is needed of a turn. */
export const CALLS = {
  turn_id: 1,
  conversation_id: 1,
  seq: 1,
  owner: 1,
  platform: 1,
  user_id: 1,
  calls: 1,
  calls_written: 1,
};

/** The id of the sums of a key. */
export function hourId(key: UsageKey): string {
  const { principal, hour, provider, model, operation, platform, userId } = key;
  return digest(principal, String(hour), provider, model, operation, platform, userId);
}

function newHour(_id: string, { hour, userId, ...key }: UsageKey): UsageHourDocument {
  return {
    _id,
    ...key,
    user_id: userId,
    hour: new Date(hour),
    day: new Date(hour - (hour % DAY_MS)),
    version: 0,
    summed: 0,
    stale: true,
  };
}

/** What a turn holds of its calls, and which sums each is part of. */
export function heldCalls({ calls = [], ...turn }: TurnOfCalls): (HeldCall & { key: UsageKey })[] {
  const origin = {
    principal: turn.owner,
    platform: turn.platform,
    userId: turn.user_id,
    conversationId: turn.conversation_id,
    turnId: turn.turn_id,
  };
  return outcomeOfEach(calls.map(toCall)).map((call) => ({
    id: call.id,
    key: usageKey({ ...call, ...origin }),
    row: toUsageRow(call, origin),
  }));
}

/** Inserts what is not there yet; returns what was there. */
async function insertMissing<T extends { _id: string }>(
  database: MongoDatabase,
  collection: Collection<T>,
  documents: OptionalUnlessRequiredId<T>[],
): Promise<OptionalUnlessRequiredId<T>[]> {
  if (documents.length === 0) return [];
  return database.run((signal) =>
    repeatable(async () => {
      try {
        await collection.insertMany(documents, { ordered: false });
        return [];
      } catch (error) {
        const failed = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
        if (failed.length === 0 || failed.some(({ code }) => code !== DUPLICATE_KEY)) throw error;
        return failed.map(({ index }) => documents[index] as OptionalUnlessRequiredId<T>);
      }
    }, signal),
  );
}
