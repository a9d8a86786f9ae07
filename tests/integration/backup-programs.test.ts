import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { sqliteMigrations } from "../../migrations/sqlite/index.ts";
import { backupProgram, restoreProgram, type World } from "../../src/backup/program.ts";
import { ConfigError } from "../../src/config.ts";
import { MigrationRunner } from "../../src/migrations/runner.ts";
import { SqliteConversationStore } from "../../src/stores/sqlite/conversation-store.ts";
import { SqliteDatabase } from "../../src/stores/sqlite/database.ts";
import { SqliteMigrationTarget } from "../../src/stores/sqlite/migrate.ts";
import { begin, complete, ids } from "../support/backup-stores.ts";
import { openSqlite } from "../support/sqlite.ts";

let folder: string;
let output: string;

beforeEach(async () => {
  output = "";
  folder = await mkdtemp(join(tmpdir(), "parley-programs-"));
  const database = await openSqlite(join(folder, "data", "parley.db"));
  const store = new SqliteConversationStore(database);
  await complete(store, await begin(store, ids.next()));
  database.close();
});
afterEach(() => rm(folder, { recursive: true }));

function world(changes: Partial<World> = {}, data = "data"): World {
  const write = (text: string) => {
    output += text;
    return true;
  };
  return {
    config: () => ({ DATA_DIR: join(folder, data), MONGO_URI: undefined, MONGO_TIMEOUT_MS: 3_000 }),
    stdout: { write },
    stderr: { write },
    now: () => Date.parse("2026-11-21T09:00:00Z"),
    signal: new AbortController().signal,
    ...changes,
  };
}

async function migrateDownTo(version: number): Promise<void> {
  const database = new SqliteDatabase(join(folder, "data", "parley.db"));
  await new MigrationRunner(new SqliteMigrationTarget(database), sqliteMigrations).down({ to: version });
  database.close();
}

test("a store is backed up, and restored into one that is made for it", async () => {
  const archive = join(folder, "backup.jsonl.gz");
  expect(await backupProgram([archive], world())).toBe(0);
  expect(output).toContain("1 conversations, 1 turns, 0 sessions and 0 model calls");
  expect(await restoreProgram([archive], world({}, "other"))).toBe(0);
  expect(await restoreProgram([archive], world({}, "other"))).toBe(1);
  expect(output).toContain("FORCE=1 (--force without make)");
  expect(await restoreProgram(["--force", archive], world({}, "other"))).toBe(0);
  expect(await backupProgram([join(folder, "again")], world({}, "other"))).toBe(0);
});

test("the default name is the UTC time, in the folder backups", async () => {
  const cwd = process.cwd();
  process.chdir(folder);
  try {
    expect(await backupProgram([], world())).toBe(0);
  } finally {
    process.chdir(cwd);
  }
  expect(await readdir(join(folder, "backups"))).toEqual(["parley-20261121T090000Z.jsonl.gz"]);
});

test("a damaged archive is refused before a store is so much as opened", async () => {
  const archive = join(folder, "backup.jsonl.gz");
  await backupProgram([archive], world());
  const whole = await readFile(archive);
  await writeFile(archive, whole.subarray(0, -20));
  expect(await restoreProgram(["--force", archive], world({}, "other"))).toBe(1);
  expect(output).toContain("cut short");
  expect(await readdir(folder)).toEqual(["backup.jsonl.gz", "data"]);
});

test("a store that is not there is not made by a backup of it", async () => {
  expect(await backupProgram([join(folder, "x")], world({}, "other"))).toBe(1);
  expect(output).toMatch(/There is no database .*DATA_DIR/);
  expect(await readdir(folder)).toEqual(["data"]);
});

test("the store of a newer Parley is not backed up by halves", async () => {
  const database = await openSqlite(join(folder, "data", "parley.db"));
  database.script("INSERT INTO schema_migrations (version, name) VALUES (99, 'of tomorrow')");
  database.close();
  expect(await backupProgram([join(folder, "x")], world())).toBe(1);
  expect(output).toContain("it was written by a newer Parley");
  expect(await readdir(folder)).toEqual(["data"]);
});

test("the store of an older Parley is brought up to date first, by the command that is told", async () => {
  await migrateDownTo(1);
  expect(await backupProgram([join(folder, "x")], world())).toBe(1);
  expect(output).toMatch(/schema version 1, .*make migrate-up \(it makes a copy first\)/);
  expect(await readdir(folder)).toEqual(["data"]);
});

test("a store that a server has open is not restored into, not even by force", async () => {
  const archive = join(folder, "backup.jsonl.gz");
  const server = await openSqlite(join(folder, "data", "parley.db"));
  expect(await backupProgram([archive], world())).toBe(0);
  expect(await restoreProgram(["--force", archive], world())).toBe(1);
  expect(output).toMatch(/another has it open\. Stop the server/);
  expect(server.run((sql) => sql("SELECT count(*) AS n FROM turns").get())).toEqual({ n: 1 });
  server.close();
  expect(await restoreProgram(["--force", archive], world())).toBe(0);
});

test("a MongoDB that does not answer is an error that says so", async () => {
  const uri = "mongodb://user:secret@127.0.0.1:9/parley";
  const config = () => ({ DATA_DIR: folder, MONGO_URI: uri, MONGO_TIMEOUT_MS: 30 });
  expect(await backupProgram([join(folder, "x")], world({ config }))).toBe(1);
  expect(output).toMatch(/can't be used.*127\.0\.0\.1:9/s);
  expect(output).not.toContain("secret");
});

test.each([
  [() => backupProgram(["--what"], world()), 2, "Usage: make backup"],
  [() => backupProgram(["a", "b"], world()), 2, "Usage: make backup"],
  [() => backupProgram(["--help"], world()), 0, "Usage: make backup"],
  [() => restoreProgram([], world()), 2, "Usage: make restore"],
  [() => restoreProgram(["--help"], world()), 0, "Usage: make restore"],
  [() => restoreProgram(["no-such-file"], world()), 1, "There is no file no-such-file"],
  [() => restoreProgram([tmpdir()], world()), 1, `${tmpdir()} is a folder`],
  [() => backupProgram([], world({ config: refuse })), 2, "PORT"],
  [() => restoreProgram(["x"], world({ signal: AbortSignal.abort() })), 130, "Stopped"],
] as const)("arguments and exit codes %#", async (run, code, text) => {
  expect(await run()).toBe(code);
  expect(output).toContain(text);
});

function refuse(): never {
  throw new ConfigError("PORT is wrong");
}
