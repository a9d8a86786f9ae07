import { MongoConversationStore } from "../../src/stores/mongo/conversation-store.ts";
import { MongoSessionStore } from "../../src/stores/mongo/session-store.ts";
import { describeMongo, openTestDatabase } from "../support/mongo.ts";
import { conversationStoreContract } from "./conversation-store.suite.ts";
import { sessionStoreContract } from "./session-store.suite.ts";

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
});
