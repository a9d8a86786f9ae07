import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
import { eventually } from "../../support/eventually.ts";

let folder: string;
let path: string;
let database: SqliteDatabase;
let acknowledged: number;
beforeEach(async () => {
  acknowledged = 0;
  folder = mkdtempSync(join(tmpdir(), "parley-moved-"));
  path = join(folder, "parley.db");
  database = new SqliteDatabase(path);
  database.script("CREATE TABLE t (x INTEGER)");
  await write();
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

async function write(): Promise<void> {
  await database.write((sql) => sql("INSERT INTO t VALUES (1)").run());
  acknowledged++;
}
const count = () => database.read((sql) => sql("SELECT count(*) AS n FROM t").get()?.n);
const fails = (work: Promise<unknown>) => work.then(() => false).catch(() => true);

test.each([
  ["the database, removed", () => rmSync(path)],
  ["its log, removed", () => rmSync(`${path}-wal`)],
  [
    "the database, replaced",
    () => {
      new SqliteDatabase(`${path}.other`).close();
      renameSync(`${path}.other`, path);
    },
  ],
])("%s under the server: nothing is acknowledged that the next start would not find", async (_, change) => {
  change();
  await eventually(() => fails(write()));
  const told = {
    code: "unavailable",
    cause: { message: expect.stringMatching(/parley\.db.* was removed or replaced .*Stop the server/) },
  };
  await expect(write()).rejects.toMatchObject(told);
  await expect(count()).rejects.toMatchObject(told);
});

test("files that are back are used again, without what was refused", async () => {
  renameSync(path, `${path}.elsewhere`);
  await eventually(() => fails(write()));
  expect(existsSync(path)).toBe(false);
  renameSync(`${path}.elsewhere`, path);
  await write();
  expect(await count()).toBe(acknowledged);
});

test("the log is not moved into a file that was made for that", async () => {
  renameSync(path, `${path}.elsewhere`);
  // So many that the log is moved, before anyone has looked.
  await Promise.allSettled(Array.from({ length: 400 }, write));
  await eventually(() => fails(write()));
  expect(existsSync(path)).toBe(false);
});
