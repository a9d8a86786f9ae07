import { fdatasync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
import type { FileSync } from "../../../src/stores/sqlite/write-ahead-log.ts";
import { settle } from "../../support/fake-clock.ts";

let folder: string;
let opened: SqliteDatabase[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-durable-"));
  opened = [];
});
afterEach(() => {
  for (const database of opened) database.close();
  rmSync(folder, { recursive: true });
});

function open(fileSync?: FileSync): SqliteDatabase {
  const database = new SqliteDatabase(join(folder, "parley.db"), { fileSync });
  opened.push(database);
  return database;
}

/** A disk that answers when the test says so. */
function slowDisk() {
  const asked: (() => void)[] = [];
  const fileSync: FileSync = (fd, done) => asked.push(() => fdatasync(fd, done));
  return { fileSync, asked };
}

const put = (database: SqliteDatabase, value: number) =>
  database.write((sql) => sql("INSERT INTO t VALUES (?)").run(value));
const count = (database: SqliteDatabase) =>
  database.read((sql) => Number(sql("SELECT count(*) AS n FROM t").get()?.n));

/** Whether it has settled by now. */
async function isOver(work: Promise<unknown>): Promise<boolean> {
  await settle();
  return Promise.race([work.then(() => true), Promise.resolve(false)]);
}

function makeTable(): void {
  const database = open();
  database.script("CREATE TABLE t (x INTEGER)");
}

test("a write waits for a sync that began after its commit, and shares it with those committed meanwhile", async () => {
  makeTable();
  const { fileSync, asked } = slowDisk();
  const database = open(fileSync);
  const first = put(database, 1);
  await settle();
  expect(asked).toHaveLength(1);
  const later = [put(database, 2)];
  await settle();
  later.push(put(database, 3));
  await settle();
  expect(asked).toHaveLength(1);
  expect(await isOver(first)).toBe(false);

  asked.shift()?.();
  await first;
  await settle();
  expect(asked).toHaveLength(1);
  for (const write of later) expect(await isOver(write)).toBe(false);
  asked.shift()?.();
  await Promise.all(later);
  expect(asked).toHaveLength(0);
});

test("a read tells of nothing that is not durable, and waits for nothing else", async () => {
  makeTable();
  const { fileSync, asked } = slowDisk();
  const database = open(fileSync);
  const empty = count(database);
  await settle();
  asked.shift()?.();
  expect(await empty).toBe(0);
  expect(await count(database)).toBe(0);
  expect(asked).toHaveLength(0);

  const write = put(database, 1);
  await settle();
  const found = count(database);
  expect(await isOver(found)).toBe(false);
  asked.shift()?.();
  expect(await found).toBe(1);
  await write;
});

test("nor of what another process has committed and not synced yet", async () => {
  makeTable();
  const [other, own] = [slowDisk(), slowDisk()];
  const database = open(own.fileSync);
  const before = count(database);
  await settle();
  own.asked.shift()?.();
  expect(await before).toBe(0);

  const write = put(open(other.fileSync), 1);
  await settle();
  const found = count(database);
  expect(await isOver(found)).toBe(false);
  expect(own.asked).toHaveLength(1);
  own.asked.shift()?.();
  expect(await found).toBe(1);
  expect(await isOver(write)).toBe(false);
  other.asked.shift()?.();
  await write;
});

test("reads that come together see one state, and one that fails leaves the others be", async () => {
  makeTable();
  const [database, other] = [open(), open()];
  const failed = new Error("for a reason of its own");
  const reads = await Promise.allSettled([
    count(database),
    database.read(() => {
      other.transaction((sql) => sql("INSERT INTO t VALUES (1)").run());
      throw failed;
    }),
    database.read((sql) => sql("SELECT x FROM nowhere").get()),
    count(database),
  ]);
  expect(reads).toMatchObject([
    { value: 0 },
    { reason: failed },
    { reason: { code: "unavailable" } },
    { value: 0 },
  ]);
  expect(await count(database)).toBe(1);
});

test("after a disk has failed nothing is acknowledged, although it says that all is well again", async () => {
  makeTable();
  let failing = false;
  const database = open((fd, done) => (failing ? done(new Error("EIO")) : fdatasync(fd, done)));
  await put(database, 1);
  failing = true;
  const unavailable = { code: "unavailable", cause: { message: expect.stringMatching(/EIO.*restart/) } };
  await expect(put(database, 2)).rejects.toMatchObject(unavailable);
  failing = false;
  await expect(put(database, 3)).rejects.toMatchObject(unavailable);
  await expect(count(database)).rejects.toMatchObject(unavailable);
});

test("reads that wait when it is closed fail", async () => {
  makeTable();
  const database = open();
  const reading = count(database);
  opened.pop();
  database.close();
  await expect(reading).rejects.toMatchObject({ code: "unavailable" });
});

test("what waits is durable when it is closed", async () => {
  makeTable();
  const { fileSync, asked } = slowDisk();
  const database = open(fileSync);
  const writes = [put(database, 1)];
  await settle();
  writes.push(put(database, 2));
  opened.pop();
  database.close();
  asked.shift()?.();
  await Promise.all(writes);
  expect(await count(open())).toBe(2);
});

test("writes that fail leave those that share their commit as they are", async () => {
  const database = open();
  database.script("CREATE TABLE t (x INTEGER UNIQUE)");
  const sum: number[] = [];
  const putAndSum = (value: number) =>
    database.write((sql, atEnd) => {
      sql("INSERT INTO t VALUES (?)").run(value);
      atEnd(addUp, [value]);
    });
  const addUp = (_sql: unknown, values: readonly number[]) => {
    sum.splice(0, sum.length, ...values);
  };
  const failed = new Error("for a reason of its own");
  const halfDone = database.write((sql) => {
    sql("INSERT INTO t VALUES (3)").run();
    throw failed;
  });
  const results = await Promise.allSettled([putAndSum(1), halfDone, putAndSum(1), putAndSum(2)]);

  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  await expect(halfDone).rejects.toBe(failed);
  const rows = await database.read((sql) => sql("SELECT x FROM t ORDER BY x").all());
  expect(rows.map(({ x }) => x)).toEqual([1, 2]);
  expect(sum).toEqual([1, 2]);
});
