import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Collection } from "mongodb";
import { GroupedWrites } from "../../../src/stores/mongo/grouped-writes.ts";
import { describeMongo, openTestDatabase, type TestDatabase } from "../../support/mongo.ts";
import { MongoProxy } from "./mongo-proxy.ts";

interface Thing {
  _id: string;
  count: number;
}

await describeMongo("GroupedWrites", (server) => {
  let open: TestDatabase;
  let proxy: MongoProxy;
  /** Past the proxy. */
  let things: Collection<Thing>;
  let writes: GroupedWrites<Thing>;
  /** The number of writes of each command, in their order. */
  let sent: number[];

  beforeEach(async () => {
    open = await openTestDatabase(server);
    const { db } = open.connect();
    things = db.collection<Thing>("things");
    proxy = await MongoProxy.start(server.uri);
    const database = open.connect({ uri: proxy.uri(db.databaseName), monitorCommands: true });
    writes = new GroupedWrites(database.db.collection<Thing>("things"));
    await database.run(() => database.db.command({ ping: 1 }));
    sent = [];
    database.client.on("commandStarted", ({ command: { documents, updates } }) => {
      if (documents ?? updates) sent.push((documents ?? updates).length);
    });
  });
  afterEach(async () => {
    expect(proxy.pending).toBe(0);
    proxy.close();
    await open.close();
  });

  const { signal } = new AbortController();
  const ids = Array.from({ length: 10 }, (_, index) => `thing-${index}`);

  const add = (_id: string, its = signal) => writes.insert({ _id, count: 0 }, its);
  const increase = (_id: string, count = 0) =>
    writes.update({ filter: { _id, count }, update: { $inc: { count: 1 } } }, signal);
  /** That may not be done twice. */
  const increaseOnce = (_id: string) =>
    writes.update(
      {
        filter: { _id },
        update: { $inc: { count: 1 } },
        isDone: async () => (await things.findOne({ _id }))?.count === 1,
      },
      signal,
    );

  async function counts(): Promise<number[]> {
    const all = await things.find().sort({ _id: 1 }).toArray();
    return all.map(({ count }) => count);
  }

  test("what comes while a write is under way goes together", async () => {
    expect(await Promise.all(ids.map((id) => add(id)))).toEqual(ids.map(() => true));
    expect(await Promise.all(ids.map((id) => increase(id)))).toEqual(ids.map(() => true));
    expect(sent).toEqual([1, 9, 1, 9]);
    expect(await counts()).toEqual(ids.map(() => 1));
  });

  test("inserts: each is told whether it was the one", async () => {
    await things.insertOne({ _id: "thing-5", count: 7 });
    const inserted = await Promise.all([...ids, ...ids].map((id) => add(id)));
    expect(inserted).toEqual([...ids.map((id) => id !== "thing-5"), ...ids.map(() => false)]);
    expect(await counts()).toEqual(ids.map((id) => (id === "thing-5" ? 7 : 0)));
  });

  test("updates: each is told whether it has met its document", async () => {
    const even = ids.filter((_, index) => index % 2 === 0);
    await things.insertMany(even.map((_id) => ({ _id, count: 0 })));
    const set = (_id: string) => writes.update({ filter: { _id }, update: { $set: { count: 5 } } }, signal);
    const met = await Promise.all(ids.map(set));
    expect(met).toEqual(ids.map((id) => even.includes(id)));
    expect(await counts()).toEqual(even.map(() => 5));
  });

  test("two of one document are both done, in their order", async () => {
    await things.insertOne({ _id: "thing-0", count: 0 });
    const met = await Promise.all([0, 1, 2, 3].map((count) => increase("thing-0", count)));
    expect(met).toEqual([true, true, true, true]);
    expect(await counts()).toEqual([4]);
  });

  test("a lost answer: what may be done once is done once", async () => {
    await things.insertMany(ids.map((_id) => ({ _id, count: 0 })));
    // Of the first, which goes alone, and of the others.
    for (let count = 0; count < 2; count++) proxy.loseAnswer("update", "things");
    expect(await Promise.all(ids.map(increaseOnce))).toEqual(ids.map(() => true));
    expect(await counts()).toEqual(ids.map(() => 1));
  });

  test("a lost answer to inserts: they stand, and nobody is told that they are his", async () => {
    const first = add("thing-0");
    proxy.loseAnswer("insert", "things");
    proxy.loseAnswer("insert", "things");
    const others = ids.slice(1).map((id) => add(id));
    expect(await Promise.all([first, ...others])).toEqual(ids.map(() => false));
    expect(await counts()).toEqual(ids.map(() => 0));
  });

  test("what a server refuses is an error for who wanted it, and for nobody else", async () => {
    await things.insertMany(ids.map((_id) => ({ _id, count: 0 })));
    const wrong = { filter: { _id: "thing-4" }, update: { $inc: { _id: 1 } as Record<string, number> } };
    const all = ids.map((id) => (id === "thing-4" ? writes.update(wrong, signal) : increase(id)));
    const results = await Promise.allSettled(all);
    expect(results.map(({ status }) => status)).toEqual(
      ids.map((id) => (id === "thing-4" ? "rejected" : "fulfilled")),
    );
    expect(await counts()).toEqual(ids.map((id) => (id === "thing-4" ? 0 : 1)));
  });

  test("what nobody waits for any more is not begun", async () => {
    const gone = new AbortController();
    const all = ids.map((id, index) => add(id, index === 3 ? gone.signal : signal));
    gone.abort(new Error("Too late"));
    await expect(all[3]).rejects.toThrow("Too late");
    await Promise.all(all.filter((_, index) => index !== 3));
    expect(await things.countDocuments()).toBe(9);
  });

  test("an answer that never comes does not keep the others waiting", async () => {
    await things.insertMany(ids.map((_id) => ({ _id, count: 0 })));
    proxy.loseAnswer("update", "things", "silently");
    const [first, ...others] = ids.map(increaseOnce);
    const isAnswered = { first: false };
    const firstAnswered = first?.then(() => {
      isAnswered.first = true;
    });
    expect(await Promise.all(others)).toEqual(others.map(() => true));
    expect(isAnswered.first).toBe(false);
    await firstAnswered;
    expect(await counts()).toEqual(ids.map(() => 1));
  });
});
