import type { SqliteDatabase } from "./database.ts";

export interface SqliteMigration {
  /** 1, 2, 3 … without gaps. */
  readonly version: number;
  readonly name: string;
  /** SQL that brings the schema from the version before to this one. */
  readonly up: string;
  /** SQL that takes it back. */
  readonly down: string;
}

/**
 * Brings the database to the newest schema, all or nothing; safe when several processes do it at
 * the same time.
 *
 * @returns the migrations that were applied.
 * @throws Error when the file was written by a newer Parley.
 */
export function migrate(database: SqliteDatabase, migrations: readonly SqliteMigration[]): SqliteMigration[] {
  return database.transaction((sql) => {
    database.script(`
      CREATE TABLE IF NOT EXISTS schema_migrations (
        version INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        applied_at INTEGER NOT NULL DEFAULT (unixepoch())
      ) STRICT`);
    const row = sql("SELECT max(version) AS version FROM schema_migrations").get();
    const current = Number(row?.version ?? 0);
    if (current > migrations.length) {
      throw new Error(
        `${database.path} has schema version ${current}, and this Parley knows only ${migrations.length}: it was written by a newer Parley. Start that one, or point DATA_DIR elsewhere.`,
      );
    }
    const pending = migrations.filter(({ version }) => version > current);
    for (const { version, name, up } of pending) {
      database.script(up);
      sql("INSERT INTO schema_migrations (version, name) VALUES (?, ?)").run(version, name);
    }
    return pending;
  });
}
