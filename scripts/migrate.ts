// Shows the schema of the configured store, or changes it. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
import { existsSync } from "node:fs";
import { join } from "node:path";
import Table from "cli-table3";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { mongoMigrations } from "../migrations/mongo/index.ts";
import { sqliteMigrations } from "../migrations/sqlite/index.ts";
import { type Config, ConfigError, loadConfig } from "../src/config.ts";
import type { Migration } from "../src/migrations/migration.ts";
import { MigrationRunner, type RunOptions } from "../src/migrations/runner.ts";
import { startProblem } from "../src/start-problem.ts";
import { MongoDatabase } from "../src/stores/mongo/client.ts";
import { MongoMigrationTarget } from "../src/stores/mongo/migrate.ts";
import { findDamage } from "../src/stores/sqlite/damage.ts";
import { SqliteDatabase } from "../src/stores/sqlite/database.ts";
import { SqliteMigrationTarget } from "../src/stores/sqlite/migrate.ts";

/** How long one change may take on MongoDB, in milliseconds: an index of a large collection takes its time. */
const MONGO_CHANGE_MS = 3_600_000;

type Runner = Pick<MigrationRunner<unknown>, "status" | "up" | "down">;
type Work<T> = (runner: Runner) => Promise<T>;
type Change = (runner: Runner, options: RunOptions) => Promise<Migration[]>;

const program = new Command("migrate")
  .description("Shows or changes the schema of the store: MongoDB with MONGO_URI, else SQLite in DATA_DIR.")
  .exitOverride();

program
  .command("status")
  .description("list the migrations and which of them were applied")
  .action(() => onStore("look", showStatus));

program
  .command("up")
  .description("apply every migration that is pending; stop a server on SQLite first")
  .option("--dry-run", "only show what would be done")
  .action(({ dryRun = false }: { dryRun?: boolean }) =>
    change("apply", dryRun, (runner, options) => runner.up(options)),
  );

program
  .command("down")
  .description("take the newest migration back; the data that it holds goes with it. Stop the server first")
  .option("--to <version>", "take back all that are newer than this version", toVersion)
  .option("--dry-run", "only show what would be done")
  .action(({ to, dryRun = false }: { to?: number; dryRun?: boolean }) =>
    change("take back", dryRun, (runner, options) => runner.down({ to, ...options })),
  );

program
  .command("check")
  .description("look through the whole SQLite file for damage")
  .action(() => {
    const path = sqlitePath(loadConfig());
    const damage = existsSync(path) ? findDamage(path, true) : "there is no such file";
    if (damage) throw new Error(`${path}: ${damage}`);
    console.log(`${path} is sound.`);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCode(error);
}

/** @param verb what is done with a migration. */
async function change(verb: string, dryRun: boolean, run: Change): Promise<void> {
  const steps = await onStore("look", (runner) => run(runner, { dryRun: true }));
  if (dryRun) return showPlan(verb, steps);
  await onStore(steps.length > 0 ? "change" : "look", async (runner) => {
    await run(runner, {});
    await showStatus(runner);
  });
}

async function onStore<T>(wanted: "look" | "change", work: Work<T>): Promise<T> {
  const config = loadConfig();
  if (config.MONGO_URI !== undefined) return onMongo(config.MONGO_URI, config.MONGO_TIMEOUT_MS, work);
  const path = sqlitePath(config);
  const alone = wanted === "change";
  // Showing what there is makes no file.
  const database = new SqliteDatabase(alone || existsSync(path) ? path : ":memory:", { alone });
  try {
    return await work(new MigrationRunner(new SqliteMigrationTarget(database), sqliteMigrations, { report }));
  } finally {
    database.close();
  }
}

async function onMongo<T>(uri: string, timeoutMs: number, work: Work<T>): Promise<T> {
  // That the server is there is found out soon; only then are its answers waited for.
  const probe = new MongoDatabase({ uri, timeoutMs });
  await probe.run(() => probe.db.command({ ping: 1 })).finally(() => probe.close());
  const database = new MongoDatabase({ uri, timeoutMs: MONGO_CHANGE_MS, appName: "parley-migrate" });
  try {
    return await work(new MigrationRunner(new MongoMigrationTarget(database), mongoMigrations, { report }));
  } finally {
    await database.close();
  }
}

async function showStatus(runner: Runner): Promise<void> {
  const table = new Table({ head: ["Version", "Name", "State", "Applied"], style: { head: [], border: [] } });
  for (const { version, name, state, appliedAt } of await runner.status()) {
    table.push([version, name, state, appliedAt === undefined ? "" : new Date(appliedAt).toISOString()]);
  }
  console.log(table.toString());
}

function showPlan(verb: string, steps: readonly Migration[]): void {
  if (steps.length === 0) console.log("There is nothing to do.");
  for (const { version, name } of steps) console.log(`Would ${verb} migration ${version} (${name})`);
}

function report(line: string): void {
  console.log(line);
}

function sqlitePath(config: Config): string {
  return join(config.DATA_DIR, "parley.db");
}

function toVersion(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a version, such as 1; 0 is an empty store.");
}

function exitCode(error: unknown): number {
  // Commander has told the user already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  console.error(startProblem(error));
  return error instanceof ConfigError || error instanceof RangeError ? 2 : 1;
}
