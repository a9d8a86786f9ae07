import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { findDamage, SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
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
