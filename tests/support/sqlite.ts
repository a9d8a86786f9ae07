import { sqliteMigrations } from "../../migrations/sqlite/index.ts";
import { MigrationRunner } from "../../src/migrations/runner.ts";
import { SqliteDatabase } from "../../src/stores/sqlite/database.ts";
import { SqliteMigrationTarget } from "../../src/stores/sqlite/migrate.ts";

/** Opens the file, or makes it, with the newest schema. */
export async function openSqlite(path: string): Promise<SqliteDatabase> {
  const database = new SqliteDatabase(path);
  await new MigrationRunner(new SqliteMigrationTarget(database), sqliteMigrations).up();
  return database;
}
