import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";

const PAGE = 4_096;
const VALUE = "x".repeat(PAGE / 2);
// SQLite moves the log by itself at 1,000 pages, or what it is told: fewer are written here.
const ROUNDS = 20;
const WRITES = 16;

let folder: string;
let path: string;
let database: SqliteDatabase;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-checkpoints-"));
  path = join(folder, "parley.db");
  database = new SqliteDatabase(path);
  database.script("CREATE TABLE t (x TEXT)");
});
afterEach(() => rmSync(folder, { recursive: true }));

async function write(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const one = () => database.write((sql) => sql("INSERT INTO t VALUES (?)").run(VALUE));
    await Promise.all(Array.from({ length: WRITES }, one));
  }
}

function count(): number {
  return database.run((sql) => Number(sql("SELECT count(*) AS n FROM t WHERE x = ?").get(VALUE)?.n));
}

test("what the log holds is moved into the file long before a commit would have to do it", async () => {
  await write();
  expect(statSync(`${path}-wal`).size).toBeLessThan(1_000 * PAGE);
  // By the thread, which nobody waits for.
  while (statSync(path).size < 100 * PAGE) await setImmediate();
  expect(count()).toBe(ROUNDS * WRITES);
  database.close();
});

test("whoever closes the database leaves nothing in the log, also while it is being moved", async () => {
  await write();
  database.close();
  if (existsSync(`${path}-wal`)) expect(statSync(`${path}-wal`).size).toBe(0);
  database = new SqliteDatabase(path);
  expect(count()).toBe(ROUNDS * WRITES);
  database.close();
});
