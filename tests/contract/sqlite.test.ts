import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SqliteBackupSource } from "../../src/stores/sqlite/backup.ts";
import { SqliteConversationStore } from "../../src/stores/sqlite/conversation-store.ts";
import type { SqliteDatabase } from "../../src/stores/sqlite/database.ts";
import { SqliteSessionStore } from "../../src/stores/sqlite/session-store.ts";
import { SqliteUsageStore } from "../../src/stores/sqlite/usage-store.ts";
import { openSqlite } from "../support/sqlite.ts";
import { conversationStoreContract } from "./conversation-store.suite.ts";
import { sessionStoreContract } from "./session-store.suite.ts";
import { usageStoreContract } from "./usage-store.suite.ts";

async function openDatabases() {
  const folder = await mkdtemp(join(tmpdir(), "parley-sqlite-"));
  const opened: SqliteDatabase[] = [];
  const open = async () => {
    const database = await openSqlite(join(folder, "parley.db"));
    opened.push(database);
    return database;
  };
  const close = async () => {
    for (const database of opened) database.close();
    await rm(folder, { recursive: true });
  };
  return { open, close };
}

conversationStoreContract("sqlite", async () => {
  const { open, close } = await openDatabases();
  return {
    store: new SqliteConversationStore(await open()),
    reopen: async () => new SqliteConversationStore(await open()),
    close,
  };
});

sessionStoreContract("sqlite", async (ttlMs) => {
  const { open, close } = await openDatabases();
  return { sessions: new SqliteSessionStore(await open(), ttlMs), close };
});

usageStoreContract("sqlite", async () => {
  const { open, close } = await openDatabases();
  return {
    async connect() {
      const database = await open();
      return {
        store: new SqliteConversationStore(database),
        usage: new SqliteUsageStore(database),
        source: new SqliteBackupSource(await open()),
      };
    },
    close,
  };
});
