import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteMigrations } from "../../migrations/sqlite/index.ts";
import { SqliteConversationStore } from "../../src/stores/sqlite/conversation-store.ts";
import { SqliteDatabase } from "../../src/stores/sqlite/database.ts";
import { migrate } from "../../src/stores/sqlite/migrate.ts";
import { SqliteSessionStore } from "../../src/stores/sqlite/session-store.ts";
import { conversationStoreContract } from "./conversation-store.suite.ts";
import { sessionStoreContract } from "./session-store.suite.ts";

async function openDatabases() {
  const folder = await mkdtemp(join(tmpdir(), "parley-sqlite-"));
  const opened: SqliteDatabase[] = [];
  const open = () => {
    const database = new SqliteDatabase(join(folder, "parley.db"));
    migrate(database, sqliteMigrations);
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
    store: new SqliteConversationStore(open()),
    reopen: async () => new SqliteConversationStore(open()),
    close,
  };
});

sessionStoreContract("sqlite", async (ttlMs) => {
  const { open, close } = await openDatabases();
  return { sessions: new SqliteSessionStore(open(), ttlMs), close };
});
