import { MigrationRunner } from "../../../src/migrations/runner.ts";
import { MongoDatabase } from "../../../src/stores/mongo/client.ts";
import { type MongoMigration, MongoMigrationTarget } from "../../../src/stores/mongo/migrate.ts";
import { SqliteDatabase } from "../../../src/stores/sqlite/database.ts";
import { type SqliteMigration, SqliteMigrationTarget } from "../../../src/stores/sqlite/migrate.ts";

// A process of its own that brings a store up through migrations each of which leaves a trace: done twice,
// it leaves two.

const versions = [1, 2, 3, 4, 5];

const sqliteMigrations = versions.map(
  (version): SqliteMigration => ({
    version,
    name: `step-${version}`,
    up: `CREATE TABLE IF NOT EXISTS trace (version INTEGER); INSERT INTO trace VALUES (${version})`,
    down: `DELETE FROM trace WHERE version = ${version}`,
  }),
);
const mongoMigrations = versions.map(
  (version): MongoMigration => ({
    version,
    name: `step-${version}`,
    up: [{ insert: "trace", documents: [{ version }] }],
    down: [{ delete: "trace", deletes: [{ q: { version }, limit: 0 }] }],
  }),
);

const [store, place = ""] = process.argv.slice(2);
const options = { report: (line: string) => console.log(line) };
if (store === "mongo") {
  const database = new MongoDatabase({ uri: place });
  await new MigrationRunner(new MongoMigrationTarget(database), mongoMigrations, options).up();
  await database.close();
} else {
  const database = new SqliteDatabase(place);
  await new MigrationRunner(new SqliteMigrationTarget(database), sqliteMigrations, options).up();
  database.close();
}
