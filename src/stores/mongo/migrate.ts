import type { Document } from "mongodb";
import type { AppliedMigration, Direction, Migration, MigrationTarget } from "../../migrations/migration.ts";
import { isDuplicateKey, type MongoDatabase, repeatable } from "./client.ts";

/**
 * A change is a list of database commands (mongodb.com/docs/manual/reference/command), run in order: each
 * must come to the same when it is run again, as MongoDB can't take back what an interrupted list has done.
 */
export type MongoMigration = Migration<readonly Document[]>;

interface AppliedDocument {
  /** The version. */
  _id: number;
  name: string;
  checksum: string;
  applied_at: Date;
}

interface LockDocument {
  _id: "lock";
  holder: string;
  expires_at: Date;
}

/** MongoDB's `NamespaceNotFound` and `IndexNotFound`: what is to be dropped is gone already. */
const GONE = new Set<unknown>([26, 27]);

/** The schema of a MongoDB database. */
export class MongoMigrationTarget implements MigrationTarget<readonly Document[]> {
  readonly description: string;
  readonly #database: MongoDatabase;

  /** @param database one whose calls may take as long as the building of an index takes, to change a schema. */
  constructor(database: MongoDatabase) {
    this.#database = database;
    this.description = `The MongoDB database ${database.db.databaseName}`;
  }

  async applied(): Promise<AppliedMigration[]> {
    const documents = await this.#database.run((signal) => this.#applied.find({}, { signal }).toArray());
    return documents.map(({ _id, name, checksum, applied_at }) => ({
      version: _id,
      name,
      checksum,
      appliedAt: applied_at.getTime(),
    }));
  }

  async apply(
    { version, up, down }: MongoMigration,
    direction: Direction,
    { name, checksum, appliedAt }: AppliedMigration,
  ): Promise<void> {
    for (const command of direction === "up" ? up : down) await this.#command(command);
    await this.#database.run((signal) =>
      repeatable(async () => {
        if (direction === "down") return this.#applied.deleteOne({ _id: version });
        const record = { name, checksum, applied_at: new Date(appliedAt) };
        return this.#applied.updateOne({ _id: version }, { $setOnInsert: record }, { upsert: true });
      }, signal),
    );
  }

  async lock(holder: string, now: number, expiresAt: number): Promise<boolean> {
    const free = { $or: [{ holder }, { expires_at: { $lte: new Date(now) } }] };
    const lease = { $set: { holder, expires_at: new Date(expiresAt) } };
    const take = () => this.#lock.updateOne({ _id: "lock", ...free }, lease, { upsert: true });
    try {
      await this.#database.run((signal) => repeatable(take, signal));
      return true;
    } catch (error) {
      // Somebody else's lock does not match the filter, and stands in the way of an insert.
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  async unlock(holder: string): Promise<void> {
    await this.#database.run(() => this.#lock.deleteOne({ _id: "lock", holder }));
  }

  get #applied() {
    return this.#database.db.collection<AppliedDocument>("schema_migrations");
  }

  get #lock() {
    return this.#database.db.collection<LockDocument>("schema_lock");
  }

  async #command(command: Document): Promise<void> {
    try {
      // The driver passes a database's write concern on to no command that is given as one.
      await this.#database.run(() =>
        this.#database.db.command({ ...command, writeConcern: { w: "majority" } }),
      );
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

function isGone(error: unknown): boolean {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  return GONE.has(code) || GONE.has(cause?.code);
}
