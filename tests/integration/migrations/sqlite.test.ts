import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { sqliteMigrations } from "../../../migrations/sqlite/index.ts";
import { MigrationRunner } from "../../../src/migrations/runner.ts";
import { findDamage } from "../../../src/stores/sqlite/damage.ts";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
import { USAGE_COLUMNS } from "../../../src/stores/sqlite/ledger.ts";
import { type SqliteMigration, SqliteMigrationTarget } from "../../../src/stores/sqlite/migrate.ts";
import { startTestApp } from "../../support/app.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { appliedVersions, runScript, runUpTwice } from "./processes.ts";

const good: SqliteMigration = {
  version: sqliteMigrations.length + 1,
  name: "next",
  up: "CREATE TABLE next (a)",
  down: "DROP TABLE next",
};
const bad: SqliteMigration = { ...good, up: `${good.up}; INSERT INTO next SELECT a FROM missing` };

let folder: string;
let path: string;
let opened: SqliteDatabase[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-migrate-"));
  path = join(folder, "parley.db");
  opened = [];
});
afterEach(async () => {
  for (const database of opened) database.close();
  await rm(folder, { recursive: true });
});

function open(file = path): SqliteDatabase {
  const database = new SqliteDatabase(file);
  opened.push(database);
  return database;
}

function runner(migrations = sqliteMigrations, database = open()) {
  return new MigrationRunner(new SqliteMigrationTarget(database), migrations);
}

function tables(database: SqliteDatabase): string[] {
  const rows = database.run((sql) => sql("SELECT name FROM sqlite_schema WHERE type = 'table'").all());
  return rows.map(({ name }) => String(name)).sort();
}

const addSession = "INSERT INTO sessions (key, conversation_id, expires_at) VALUES ('k', 'c', 1)";

test("a new file gets the newest schema, and no copy", async () => {
  expect(await runner().up()).toEqual(sqliteMigrations);
  expect((await readdir(folder)).filter((name) => name.includes("before"))).toEqual([]);
  await runner().requireCurrent();
});

test("an older file is copied before it changes; the copy opens with what was in it", async () => {
  await runner().up();
  open().script(addSession);
  await runner([...sqliteMigrations, good]).up();

  const copy = `${path}.before-v${good.version}`;
  expect((await stat(copy)).mode).toBe((await stat(path)).mode);
  expect(findDamage(copy, true)).toBeUndefined();
  const old = open(copy);
  expect(tables(old)).not.toContain("next");
  expect(old.run((sql) => sql("SELECT key FROM sessions").all())).toMatchObject([{ key: "k" }]);
  await runner(sqliteMigrations, old).requireCurrent();
  expect(tables(open())).toContain("next");
});

test("without room for the copy nothing changes, and the advice says so", async () => {
  await runner().up();
  // A folder in the place of the copy can't be replaced by it.
  await mkdir(`${path}.before-v${good.version}`);
  await expect(runner([...sqliteMigrations, good]).up()).rejects.toThrow(
    /can't be copied.*Nothing was changed/,
  );
  expect(tables(open())).not.toContain("next");
  expect(existsSync(`${path}.before-v${good.version}.unfinished`)).toBe(false);
});

test("a migration that fails leaves nothing behind", async () => {
  await runner().up();
  await expect(runner([...sqliteMigrations, bad]).up()).rejects.toThrow();
  expect(tables(open())).not.toContain("next");
  await runner().requireCurrent();
});

test("down takes the schema back to nothing", async () => {
  await runner().up();
  await runner().down({ to: 0 });
  expect(tables(open())).toEqual(["schema_lock", "schema_migrations"]);
  expect(await runner().up()).toEqual(sqliteMigrations);
});

test("the ledger goes over into its turns and back with every call", async () => {
  const unknown = ["call-2", "open", "reply", "openai", "gpt-5", 7, null, null, null];
  const known = ["call-1", "ok", "reply", "openai", "gpt-5", 6, 30, "9007199254740993", [100, 20, null, 5]];
  const lines = `${JSON.stringify(known)}\n${JSON.stringify(unknown)}\n`;
  await runner(sqliteMigrations.slice(0, 2)).up();
  open().script(`
    INSERT INTO conversations VALUES (1, 'c', 'ann', 'Hello', 'final', 2, 3, 0, 0);
    INSERT INTO turns (conversation, seq, id, owner, request_hash, message_offset, request, state, calls,
        created_at, updated_at)
      VALUES (1, 1, 'ended', 'ann', 'h', 0, '{"platform":"cli"}', 'completed', '', 0, 0),
        (1, 2, 'running', 'ann', 'h', 2, '{"platform":"cli"}', 'running', '${lines}', 0, 0);
    INSERT INTO usage (id, principal, conversation_id, turn_id, operation, provider, model, started_at, status)
      VALUES ('call-0', 'ann', 'c', 'ended', 'reply', 'openai', 'gpt-5', 5, 'ok')`);
  const ledger = () => open().run((sql) => sql(`SELECT ${USAGE_COLUMNS} FROM usage`).all());
  const log = () => open().run((sql) => sql("SELECT calls FROM turns WHERE id = 'running'").get()?.calls);
  const ended = ledger();

  await runner().up();
  expect(ledger()).toMatchObject([
    ...ended,
    {
      ...{ id: "call-1", principal: "ann", platform: "cli", user_id: null, conversation_id: "c" },
      ...{ turn_id: "running", operation: "reply", provider: "openai", model: "gpt-5", started_at: 6 },
      ...{ duration_ms: 30, status: "ok", input_tokens: 100, output_tokens: 20, cached_input_tokens: null },
      ...{ reasoning_tokens: 5, cost: "9007199254740993" },
    },
    { id: "call-2", status: "interrupted", input_tokens: null, duration_ms: null, cost: null },
  ]);

  await runner().down({ to: 2 });
  expect(ledger()).toEqual(ended);
  expect(log()).toBe(lines);
});

test("a file of a newer Parley is refused and stays as it is", async () => {
  await runner([...sqliteMigrations, good]).up();
  await expect(runner().up()).rejects.toThrow("newer Parley");
  expect(tables(open())).toContain("next");
});

test("a file of the first version, which kept no checksums, goes on", async () => {
  const database = open();
  database.script(`
    CREATE TABLE schema_migrations (
      version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL DEFAULT (unixepoch())
    ) STRICT;
    INSERT INTO schema_migrations (version, name) VALUES (1, 'conversations')`);
  database.script(sqliteMigrations[0]?.up ?? "");
  expect(await runner().up()).toEqual(sqliteMigrations.slice(1));
  expect(await runner([...sqliteMigrations, good]).up()).toEqual([good]);
});

test("the lock of a run that crashed expires", async () => {
  const clock = new FakeClock();
  const target = new SqliteMigrationTarget(open());
  expect(await target.lock("crashed", clock.now(), clock.now() + 30_000)).toBe(true);
  expect(await target.lock("other", clock.now(), clock.now() + 30_000)).toBe(false);
  await target.unlock("other");
  expect(await target.lock("other", clock.now(), clock.now() + 30_000)).toBe(false);
  const run = new MigrationRunner(target, sqliteMigrations, { clock }).up();
  await clock.advance(31_000);
  expect(await run).toEqual(sqliteMigrations);
});

test("two processes at the same time apply each migration once", async () => {
  const ended = await runUpTwice("sqlite", path);
  expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(2).fill({ code: 0, stderr: "" }));
  expect(appliedVersions(ended)).toEqual([1, 2, 3, 4, 5]);
  const traces = open().run((sql) => sql("SELECT version FROM trace ORDER BY version").all());
  expect(traces.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
});

test("a server changes no file that an older one has open, and goes on once that has ended", async () => {
  await runner(sqliteMigrations.slice(0, 2)).up();
  const DATA_DIR = folder;
  await expect(startTestApp({ DATA_DIR })).rejects.toThrow(/another has it open\. Stop the server/);
  await runner(sqliteMigrations.slice(0, 2)).requireCurrent();
  for (const database of opened.splice(0)) database.close();
  const server = await startTestApp({ DATA_DIR });
  await runner().requireCurrent();
  expect(await readdir(folder)).toContain("parley.db.before-v3");
  await server.stop();
});

describe("the command", () => {
  const script = new URL("../../../scripts/migrate.ts", import.meta.url);
  const command = (...args: string[]) => runScript(script, args, { DATA_DIR: join(folder, "data") });

  test("goes up and down, and shows where it is", async () => {
    expect(await command("up")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Applied migration 1"),
    });
    expect(await command("status")).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 .*applied/) });
    expect(await command("check")).toMatchObject({ code: 0, stdout: expect.stringContaining("is sound") });
    expect(await command("down")).toMatchObject({ code: 0, stdout: expect.stringContaining("Took back") });
  });

  test("changes no file that a server has open", async () => {
    await command("up");
    const server = new SqliteDatabase(join(folder, "data", "parley.db"));
    expect(await command("down")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/another has it open\. Stop the server/),
    });
    expect(await command("up")).toMatchObject({ code: 0, stderr: "" });
    server.close();
    expect(await command("down")).toMatchObject({ code: 0 });
  });

  test("showing what there is makes no file", async () => {
    for (const args of [["status"], ["up", "--dry-run"], ["down", "--dry-run"]]) {
      expect(await command(...args)).toMatchObject({ code: 0 });
    }
    expect(await readdir(folder)).toEqual([]);
  });

  test("wrong usage is exit code 2, a failure 1", async () => {
    expect(await command("check")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no such file"),
    });
    expect(await command("sideways")).toMatchObject({ code: 2 });
    expect(await command("down", "--to", "7")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no way"),
    });
  });
});
