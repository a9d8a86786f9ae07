import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";

const PAGE = 4_096;

test("what the log holds is moved into the file long before a commit would have to do it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-checkpoints-"));
  const path = join(folder, "parley.db");
  const database = new SqliteDatabase(path);
  try {
    database.script("CREATE TABLE t (x TEXT)");
    const value = "x".repeat(PAGE / 2);
    // SQLite does it by itself at 1,000 pages, or what it is told: fewer are written here.
    for (let round = 0; round < 20; round++) {
      const write = () => database.write((sql) => sql("INSERT INTO t VALUES (?)").run(value));
      await Promise.all(Array.from({ length: 16 }, write));
    }
    expect(statSync(`${path}-wal`).size).toBeLessThan(1_000 * PAGE);
    // By the thread, which nobody waits for.
    while (statSync(path).size < 100 * PAGE) await setImmediate();
    const written = await database.read(
      (sql) => sql("SELECT count(*) AS n FROM t WHERE x = ?").get(value)?.n,
    );
    expect(written).toBe(320);
  } finally {
    database.close();
    rmSync(folder, { recursive: true });
  }
});
