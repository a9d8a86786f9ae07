import { existsSync } from "node:fs";
import { join } from "node:path";
import { mongoMigrations } from "../../migrations/mongo/index.ts";
import { sqliteMigrations } from "../../migrations/sqlite/index.ts";
import type { Config } from "../config.ts";
import type { Migration, MigrationTarget } from "../migrations/migration.ts";
import { MigrationRunner } from "../migrations/runner.ts";
import { SqliteBackupSource, SqliteBackupTarget } from "../stores/sqlite/backup.ts";
import { SqliteDatabase } from "../stores/sqlite/database.ts";
import { SqliteMigrationTarget } from "../stores/sqlite/migrate.ts";
import { ArchiveError, type ArchiveHeader } from "./format.ts";
import type { BackupSource, BackupTarget } from "./ports.ts";

/** The part of the configuration that says where the store is. */
export type StoreConfig = Pick<Config, "DATA_DIR" | "MONGO_URI" | "MONGO_TIMEOUT_MS">;

interface Opened {
  /** For people; without credentials. */
  readonly description: string;
  close(): Promise<void>;
}

export interface OpenSource extends Opened {
  readonly source: BackupSource;
  readonly origin: ArchiveHeader["source"];
}

export interface OpenTarget extends Opened {
  readonly target: BackupTarget;
}

/** A call reads or writes hundreds of documents, or makes an index: it may take so many times a server's. */
const PATIENCE = 10;

/** Opens the configured store to read it; changes nothing. @throws Error when there is none, or its schema can't be read. */
export async function openSource(config: StoreConfig): Promise<OpenSource> {
  if (config.MONGO_URI !== undefined) {
    const { database, mongo, ...opened } = await openMongo(config.MONGO_URI, config);
    const schema = new MigrationRunner(new mongo.MongoMigrationTarget(database), mongoMigrations);
    await schema.requireKnown().catch(closing(opened));
    const origin = { store: "mongo", schema: mongoMigrations.length };
    return { ...opened, source: new mongo.MongoBackupSource(database), origin };
  }
  const path = databasePath(config);
  if (!existsSync(path)) {
    throw new ArchiveError(
      `There is no database ${path}: nothing to back up. DATA_DIR or MONGO_URI says where it is.`,
    );
  }
  const database = new SqliteDatabase(path);
  const opened = { description: `SQLite in ${path}`, close: async () => database.close() };
  const schema = new MigrationRunner(new SqliteMigrationTarget(database), sqliteMigrations);
  await schema.requireCurrent().catch(closing(opened));
  return {
    ...opened,
    source: new SqliteBackupSource(database),
    origin: { store: "sqlite", schema: sqliteMigrations.length },
  };
}

/** Opens the configured store to write to it, alone where it is a file; makes it when there is none. */
export async function openTarget(config: StoreConfig): Promise<OpenTarget> {
  if (config.MONGO_URI !== undefined) {
    const { database, mongo, ...opened } = await openMongo(config.MONGO_URI, config);
    const target = new mongo.MongoBackupTarget(database);
    await makeSchema(new mongo.MongoMigrationTarget(database), mongoMigrations).catch(closing(opened));
    return { ...opened, target };
  }
  const database = new SqliteDatabase(databasePath(config), { alone: true });
  const opened = { description: `SQLite in ${database.path}`, close: async () => database.close() };
  await makeSchema(new SqliteMigrationTarget(database), sqliteMigrations).catch(closing(opened));
  return { ...opened, target: new SqliteBackupTarget(database) };
}

function databasePath({ DATA_DIR }: StoreConfig): string {
  return join(DATA_DIR, "parley.db");
}

async function openMongo(uri: string, config: StoreConfig) {
  // Loaded here: a restore into SQLite needs no connection.
  const [{ MongoDatabase }, { MongoBackupSource, MongoBackupTarget }, { MongoMigrationTarget }] =
    await Promise.all([
      import("../stores/mongo/client.ts"),
      import("../stores/mongo/backup.ts"),
      import("../stores/mongo/migrate.ts"),
    ]);
  const database = new MongoDatabase({
    uri,
    timeoutMs: PATIENCE * config.MONGO_TIMEOUT_MS,
    appName: "parley-backup",
  });
  return {
    database,
    mongo: { MongoBackupSource, MongoBackupTarget, MongoMigrationTarget },
    description: `MongoDB, database ${database.db.databaseName}`,
    close: () => database.close(),
  };
}

/** Only a store that is new is given a schema: one that holds something is not for a restore to change. */
async function makeSchema<Change>(
  target: MigrationTarget<Change>,
  migrations: readonly Migration<Change>[],
): Promise<void> {
  const runner = new MigrationRunner(target, migrations);
  const applied = await target.applied();
  if (applied.length === 0) await runner.up();
  else await runner.requireCurrent();
}

function closing({ close }: Opened) {
  return async (error: unknown): Promise<never> => {
    await close();
    throw error;
  };
}
