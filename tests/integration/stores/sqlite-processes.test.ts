import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "@jest/globals";
import { findDamage } from "../../../src/stores/sqlite/damage.ts";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
import { runScript } from "../migrations/processes.ts";

test("processes that open one new file and write to it at the same time all succeed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "parley-processes-"));
  const path = join(folder, "parley.db");
  const file = new URL("./sqlite-writer.ts", import.meta.url);
  const ended = await Promise.all([0, 1, 2, 3].map((writer) => runScript(file, [path, String(writer)])));
  expect(ended).toEqual(Array(4).fill({ code: 0, stdout: "100 turns\n", stderr: "" }));

  expect(findDamage(path, true)).toBeUndefined();
  const database = new SqliteDatabase(path);
  const counts = database.run((sql) => sql("SELECT owner, count(*) AS n FROM turns GROUP BY owner").all());
  database.close();
  expect(counts.map(({ owner, n }) => `${owner} ${n}`)).toEqual(
    [0, 1, 2, 3].map((writer) => `${writer} 100`),
  );
  await rm(folder, { recursive: true });
});

test("a lock that is kept holds up one write, and not those after it until it is gone", async () => {
  const folder = await mkdtemp(join(tmpdir(), "parley-lock-"));
  const path = join(folder, "parley.db");
  const database = new SqliteDatabase(path, { busyTimeoutMs: 50 });
  const other = new DatabaseSync(path);
  const write = () => database.transaction((sql) => sql("CREATE TABLE IF NOT EXISTS t (x)").run());
  const wait = () => database.run((sql) => ({ ...sql("PRAGMA busy_timeout").get() }));

  write();
  expect(wait()).toEqual({ timeout: 50 });
  other.exec("BEGIN IMMEDIATE");
  expect(write).toThrow(expect.objectContaining({ code: "unavailable" }));
  expect(wait()).toEqual({ timeout: 0 });
  expect(write).toThrow(expect.objectContaining({ code: "unavailable" }));
  other.exec("ROLLBACK");
  write();
  expect(wait()).toEqual({ timeout: 50 });

  other.close();
  database.close();
  await rm(folder, { recursive: true });
});
