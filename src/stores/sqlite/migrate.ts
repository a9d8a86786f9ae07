import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import type { AppliedMigration, Direction, Migration, MigrationTarget } from "../../migrations/migration.ts";
import type { Sql, SqliteDatabase } from "./database.ts";

/** A change is SQL text. It runs in one transaction, together with its record. */
export type SqliteMigration = Migration<string>;

/** The schema of the embedded database. */
export class SqliteMigrationTarget implements MigrationTarget<string> {
  readonly description: string;
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.description = `The database ${database.path}`;
  }

  async applied(): Promise<AppliedMigration[]> {
    return this.#database.run((sql) => {
      const table = sql("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'");
      if (!table.get()) return [];
      return sql("SELECT * FROM schema_migrations")
        .all()
        .map(({ version, name, checksum, applied_at }) => ({
          version: Number(version),
          name: String(name),
          checksum: typeof checksum === "string" ? checksum : undefined,
          appliedAt: Number(applied_at) * 1000,
        }));
    });
  }

  async apply(
    { version, up, down }: SqliteMigration,
    direction: Direction,
    { name, checksum, appliedAt }: AppliedMigration,
  ): Promise<void> {
    this.#database.transaction((sql) => {
      if (direction === "up") {
        this.#database.script(up);
        sql("INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)").run(
          version,
          name,
          checksum ?? null,
          Math.floor(appliedAt / 1000),
        );
      } else {
        this.#database.script(down);
        sql("DELETE FROM schema_migrations WHERE version = ?").run(version);
      }
    });
  }

  async lock(holder: string, now: number, expiresAt: number): Promise<boolean> {
    return this.#database.transaction((sql) => {
      createTables(this.#database, sql);
      const { changes } = sql(
        `INSERT INTO schema_lock (id, holder, expires_at) VALUES (1, :holder, :expiresAt)
         ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
           WHERE holder = :holder OR expires_at <= :now`,
      ).run({ holder, now, expiresAt });
      return changes > 0;
    });
  }

  async unlock(holder: string): Promise<void> {
    this.#database.run((sql) => sql("DELETE FROM schema_lock WHERE holder = ?").run(holder));
  }

  /** Beside the file: `parley.db.before-v<version>`. It replaces an older copy of that name. */
  async backup(version: number): Promise<string> {
    const { path } = this.#database;
    const copy = `${path}.before-v${version}`;
    const unfinished = `${copy}.unfinished`;
    try {
      rmSync(unfinished, { force: true });
      // Whole, and of one moment, also while others write (sqlite.org/lang_vacuum.html#vacuuminto).
      this.#database.run((sql) => sql("VACUUM INTO ?").run(unfinished));
      chmodSync(unfinished, statSync(path).mode);
      sync(unfinished);
      renameSync(unfinished, copy);
      return copy;
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw new Error(
        `${this.description} needs a new schema, and it can't be copied to ${copy} first. Nothing was changed. Make room for a second file of its size, then start again.`,
        { cause: error },
      );
    }
  }
}

function createTables(database: SqliteDatabase, sql: Sql): void {
  database.script(`
    CREATE TABLE IF NOT EXISTS schema_migrations (
      version INTEGER PRIMARY KEY,
      name TEXT NOT NULL,
      applied_at INTEGER NOT NULL DEFAULT (unixepoch()),
      checksum TEXT
    ) STRICT;
    CREATE TABLE IF NOT EXISTS schema_lock (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      holder TEXT NOT NULL,
      expires_at INTEGER NOT NULL
    ) STRICT`);
  const column = sql("SELECT 1 FROM pragma_table_info('schema_migrations') WHERE name = 'checksum'");
  // Early versions of Parley kept no checksum.
  if (!column.get()) database.script("ALTER TABLE schema_migrations ADD COLUMN checksum TEXT");
}

function sync(path: string): void {
  const file = openSync(path, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
