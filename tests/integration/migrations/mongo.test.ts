import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mongoMigrations } from "../../../migrations/mongo/index.ts";
import { MigrationRunner } from "../../../src/migrations/runner.ts";
import type { MongoDatabase } from "../../../src/stores/mongo/client.ts";
import { type MongoMigration, MongoMigrationTarget } from "../../../src/stores/mongo/migrate.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { describeMongo, openTestDatabase, type TestDatabase } from "../../support/mongo.ts";
import { appliedVersions, runScript, runUpTwice } from "./processes.ts";

await describeMongo("Migrations on MongoDB", (server) => {
  let open: TestDatabase;
  let database: MongoDatabase;
  beforeEach(async () => {
    open = await openTestDatabase(server);
    database = open.connect();
  });
  afterEach(() => open.close());

  const next: MongoMigration = {
    version: mongoMigrations.length + 1,
    name: "next",
    up: [
      { createIndexes: "next", indexes: [{ name: "by_a", key: { a: 1 } }] },
      { update: "next", updates: [{ q: {}, u: [{ $set: { b: 1 } }], multi: true }] },
    ],
    down: [{ drop: "next" }],
  };
  const runner = (migrations = mongoMigrations) =>
    new MigrationRunner(new MongoMigrationTarget(database), migrations);
  const collections = async () => {
    const found = await database.db.listCollections({}, { nameOnly: true }).toArray();
    return found.map(({ name }) => name).sort();
  };
  const uri = () => `${server.uri.replace(/\/(\?.*)?$/, "")}/${database.db.databaseName}`;

  test("are applied once, taken back, and applied again", async () => {
    expect(await runner().up()).toEqual([]);
    expect(await runner().down({ to: 0 })).toEqual(mongoMigrations.toReversed());
    expect(await collections()).toEqual(["schema_lock", "schema_migrations"]);
    expect(await runner().up()).toEqual(mongoMigrations);
  });

  test("one that was cut short, up or down, is gone on with", async () => {
    await runner([...mongoMigrations, next]).up();
    await database.db.collection<{ _id: number }>("schema_migrations").deleteOne({ _id: next.version });
    expect(await runner([...mongoMigrations, next]).up()).toEqual([next]);
    await database.db.dropCollection("next");
    expect(await runner([...mongoMigrations, next]).down()).toEqual([next]);
  });

  test("an older and a newer schema are refused at the start, with the cure", async () => {
    const newer = runner([...mongoMigrations, next]);
    await expect(newer.requireCurrent()).rejects.toThrow("make migrate-up");
    await newer.up();
    await newer.requireCurrent();
    await expect(runner().requireCurrent()).rejects.toThrow("newer Parley");
    await expect(runner().up()).rejects.toThrow("newer Parley");
  });

  test("a history that was edited is refused", async () => {
    const records = database.db.collection<{ _id: number }>("schema_migrations");
    await records.updateOne({ _id: 1 }, { $set: { checksum: "other" } });
    await expect(runner().up()).rejects.toThrow("edited since");
  });

  test("a dry run changes nothing", async () => {
    const before = await collections();
    expect(await runner([...mongoMigrations, next]).up({ dryRun: true })).toEqual([next]);
    expect(await collections()).toEqual(before);
  });

  test("the lock is one, also when many want it, and expires", async () => {
    const clock = new FakeClock();
    const target = new MongoMigrationTarget(database);
    const take = (holder: string) => target.lock(holder, clock.now(), clock.now() + 30_000);
    const holders = Array.from({ length: 30 }, (_, index) => `holder ${index}`);
    expect((await Promise.all(holders.map(take))).filter((taken) => taken)).toHaveLength(1);
    await clock.advance(30_000);
    const takers = await Promise.all(holders.map(take));
    expect(takers.filter((taken) => taken)).toHaveLength(1);
    const holder = holders[takers.indexOf(true)] ?? "";
    expect(await take(holder)).toBe(true);
    await target.unlock("somebody else");
    expect(await take("somebody else")).toBe(false);
    await target.unlock(holder);
    expect(await take("somebody else")).toBe(true);
  });

  test("two processes at the same time apply each migration once", async () => {
    await database.run(() => database.db.dropDatabase());
    const ended = await runUpTwice("mongo", uri());
    expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array(2).fill({ code: 0, stderr: "" }),
    );
    expect(appliedVersions(ended)).toEqual([1, 2, 3, 4, 5]);
    const traces = await database.db.collection("trace").find().toArray();
    expect(traces.map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5]);
  });

  test("the command works on the store of MONGO_URI", async () => {
    const script = new URL("../../../scripts/migrate.ts", import.meta.url);
    const command = (...args: string[]) => runScript(script, args, { MONGO_URI: uri() });
    expect(await command("status")).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 .*applied/) });
    expect(await command("down")).toMatchObject({ code: 0, stdout: expect.stringContaining("Took back") });
    expect(await command("up")).toMatchObject({ code: 0, stdout: expect.stringContaining("Applied") });
  });
});
