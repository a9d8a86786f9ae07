import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "@jest/globals";
import { sqliteMigrations } from "../../../migrations/sqlite/index.ts";
import type { RunningTurn } from "../../../src/core/chat/turn.ts";
import { AppError } from "../../../src/core/errors.ts";
import { MigrationRunner } from "../../../src/migrations/runner.ts";
import { SqliteConversationStore } from "../../../src/stores/sqlite/conversation-store.ts";
import { findDamage } from "../../../src/stores/sqlite/damage.ts";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
import { SqliteMigrationTarget } from "../../../src/stores/sqlite/migrate.ts";
import { describeSmallDisk } from "../../support/small-disk.ts";
import { begin, ids, T0 } from "./turns.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-full-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function open(path: string) {
  const database = new SqliteDatabase(path);
  await new MigrationRunner(new SqliteMigrationTarget(database), sqliteMigrations).up();
  return { database, store: new SqliteConversationStore(database) };
}

/** Begins turns until the store takes no more. */
async function fill(store: SqliteConversationStore): Promise<{ begun: RunningTurn[]; error: unknown }> {
  const begun: RunningTurn[] = [];
  const content = "x".repeat(20_000);
  try {
    while (begun.length < 2_000) {
      begun.push(await begin(store, { user: { messageId: ids.next(), content, createdAt: T0 } }));
    }
  } catch (error) {
    return { begun, error };
  }
  throw new Error("The store never was full");
}

async function expectFullThenWorking(
  path: string,
  makeRoom: () => void,
  opened: Awaited<ReturnType<typeof open>>,
) {
  const { store } = opened;
  const { begun, error } = await fill(store);
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: "unavailable", retryable: true });
  await expect(fill(store)).resolves.toMatchObject({ error: { code: "unavailable" } });
  expect(begun.length).toBeGreaterThan(0);

  const one = begun[0];
  expect(one && (await store.findTurn(one))).toEqual(one);
  expect(findDamage(path, true)).toBeUndefined();

  makeRoom();
  const later = await begin(store);
  for (const turn of [...begun, later]) expect(await store.findTurn(turn)).toEqual(turn);
  expect(findDamage(path, true)).toBeUndefined();
}

test("a database that may not grow is unavailable, loses nothing, and works again once it may", async () => {
  const path = join(folder, "limited.db");
  const opened = await open(path);
  opened.database.script("PRAGMA max_page_count = 100");
  await expectFullThenWorking(path, () => opened.database.script("PRAGMA max_page_count = 100000"), opened);
  opened.database.close();
});

describeSmallDisk("a full disk", (disk) => {
  let opened: Awaited<ReturnType<typeof open>>;
  const path = join(disk.folder, "parley.db");
  beforeEach(async () => {
    opened = await open(path);
  });
  afterEach(() => opened.database.close());
  afterAll(() => disk.unmount());

  test("is unavailable, loses nothing, and works again once there is room", async () => {
    disk.fill(1_000_000);
    await expectFullThenWorking(path, () => disk.makeRoom(), opened);
  });
});
