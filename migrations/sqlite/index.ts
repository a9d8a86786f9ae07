import type { SqliteMigration } from "../../src/stores/sqlite/migrate.ts";
import { conversations } from "./0001-conversations.ts";
import { usage } from "./0002-usage.ts";
import { usageInTurns } from "./0003-usage-in-turns.ts";

/** All migrations, in the order of their versions. */
export const sqliteMigrations: readonly SqliteMigration[] = [conversations, usage, usageInTurns];
