import { sqliteMigrations } from "../../../migrations/sqlite/index.ts";
import { MigrationRunner } from "../../../src/migrations/runner.ts";
import { SqliteConversationStore } from "../../../src/stores/sqlite/conversation-store.ts";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
import { SqliteMigrationTarget } from "../../../src/stores/sqlite/migrate.ts";
import { newConversation, newTurn } from "./turns.ts";

// A process of its own that writes turns to a file which others write to at the same time.

const [path = "", owner = ""] = process.argv.slice(2);
const database = new SqliteDatabase(path);
await new MigrationRunner(new SqliteMigrationTarget(database), sqliteMigrations).up();
const store = new SqliteConversationStore(database);
let begun = 0;
for (let turn = 0; turn < 100; turn++) {
  const conversation = { ...newConversation(), owner };
  const outcome = await store.beginTurn(newTurn(conversation.id, { owner }), conversation);
  if (outcome.type === "begun") begun++;
}
database.close();
console.log(`${begun} turns`);
