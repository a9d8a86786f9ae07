import { MongoBackupSource } from "../../src/stores/mongo/backup.ts";
import { MongoConversationStore } from "../../src/stores/mongo/conversation-store.ts";
import { MongoSessionStore } from "../../src/stores/mongo/session-store.ts";
import { MongoUsageStore } from "../../src/stores/mongo/usage-store.ts";
import { describeMongo, openTestDatabase } from "../support/mongo.ts";
import { conversationStoreContract } from "./conversation-store.suite.ts";
import { sessionStoreContract } from "./session-store.suite.ts";
import { usageStoreContract } from "./usage-store.suite.ts";

await describeMongo("MongoDB", (server) => {
  conversationStoreContract("mongo", async () => {
    const { connect, close } = await openTestDatabase(server);
    return {
      store: new MongoConversationStore(connect()),
      reopen: async () => new MongoConversationStore(connect()),
      close,
    };
  });

  sessionStoreContract("mongo", async (ttlMs) => {
    const { connect, close } = await openTestDatabase(server);
    return { sessions: new MongoSessionStore(connect(), ttlMs), close };
  });

  usageStoreContract("mongo", async () => {
    const { connect, close } = await openTestDatabase(server);
    return {
      async connect() {
        const database = connect();
        return {
          store: new MongoConversationStore(database),
          usage: new MongoUsageStore(database),
          source: new MongoBackupSource(database),
        };
      },
      close,
    };
  });
});
