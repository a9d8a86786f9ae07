export { MongoDatabase } from "./client.ts";
export { MongoConversationStore } from "./conversation-store.ts";
export { MongoMigrationTarget } from "./migrate.ts";
export { MongoSessionStore } from "./session-store.ts";
export { MongoUsageStore } from "./usage-store.ts";
