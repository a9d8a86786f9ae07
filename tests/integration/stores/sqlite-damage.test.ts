import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { sqliteMigrations } from "../../../migrations/sqlite/index.ts";
import { MigrationRunner } from "../../../src/migrations/runner.ts";
import { SqliteConversationStore } from "../../../src/stores/sqlite/conversation-store.ts";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
import { SqliteMigrationTarget } from "../../../src/stores/sqlite/migrate.ts";
import { begin, ids, T0 } from "./turns.ts";

const PAGE = 4_096;

let folder: string;
let source: string;
let path: string;

/** A database of many pages, with more in its write-ahead log, as a server that was killed leaves it. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-damage-"));
  source = join(folder, "source.db");
  path = join(folder, "parley.db");
  const database = new SqliteDatabase(source);
  await new MigrationRunner(new SqliteMigrationTarget(database), sqliteMigrations).up();
  const store = new SqliteConversationStore(database);
  const content = "x".repeat(30_000);
  for (let turn = 0; turn < 20; turn++) {
    await begin(store, { user: { messageId: ids.next(), content, createdAt: T0 } });
  }
  database.script("PRAGMA wal_checkpoint(TRUNCATE)");
  await begin(store);
  await copyFile(source, path);
  await copyFile(`${source}-wal`, `${path}-wal`);
  database.close();
});
afterEach(() => rm(folder, { recursive: true }));

async function overwrite(file: string, offset: number, length: number): Promise<void> {
  const bytes = await readFile(file);
  bytes.fill(0xa5, offset, offset + length);
  await writeFile(file, bytes);
}

async function expectRefusedUntouched(advice: RegExp): Promise<void> {
  const files = [path, `${path}-wal`];
  const before = await Promise.all(files.map((file) => readFile(file)));
  expect(() => new SqliteDatabase(path)).toThrow(advice);
  expect(() => new SqliteDatabase(path)).toThrow(/left as it is.*restore a backup/);
  const after = await Promise.all(files.map((file) => readFile(file)));
  expect(after.map((bytes, index) => bytes.equals(before[index] ?? Buffer.alloc(0)))).toEqual([true, true]);
}

test("what is no file is told with its path and the cure", async () => {
  const place = join(folder, "folder.db");
  await mkdir(place);
  expect(() => new SqliteDatabase(place)).toThrow(
    /^The database .*folder\.db can't be opened \(.+\)\. Check .* set DATA_DIR/,
  );
});

test("a sound file opens, and its write-ahead log counts", async () => {
  expect((await stat(`${path}-wal`)).size).toBeGreaterThan(0);
  const database = new SqliteDatabase(path);
  const count = database.run((sql) => sql("SELECT count(*) AS n FROM turns").get());
  database.close();
  expect(count).toMatchObject({ n: 21 });
});

test("a file that is no database is refused and left as it is", async () => {
  await overwrite(path, 0, 200);
  await writeFile(`${path}-wal`, "");
  await expectRefusedUntouched(/is damaged \(file is not a database\)/);
});

test("a damaged page in the middle is refused and left as it is, the write-ahead log too", async () => {
  const middle = Math.floor((await stat(path)).size / PAGE / 2) * PAGE;
  await overwrite(path, middle, PAGE);
  expect((await stat(`${path}-wal`)).size).toBeGreaterThan(0);
  await expectRefusedUntouched(/is damaged/);
});

test("a file that was cut off is refused and left as it is", async () => {
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(0, bytes.length / 2));
  await writeFile(`${path}-wal`, "");
  await expectRefusedUntouched(/is damaged/);
});

test("an empty file beside a write-ahead log is refused: SQLite would throw the log away", async () => {
  await writeFile(path, "");
  await expectRefusedUntouched(/it is empty/);
});
