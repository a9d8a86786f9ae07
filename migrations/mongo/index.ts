import type { MongoMigration } from "../../src/stores/mongo/migrate.ts";
import { conversations } from "./0001-conversations.ts";
import { usage } from "./0002-usage.ts";

/** All migrations, in the order of their versions. */
export const mongoMigrations: readonly MongoMigration[] = [conversations, usage];
