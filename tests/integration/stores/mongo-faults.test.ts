import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { ConversationStore } from "../../../src/core/chat/conversation-store.ts";
import type { CountedTurn } from "../../../src/core/chat/turn.ts";
import { MongoDatabase } from "../../../src/stores/mongo/client.ts";
import { MongoConversationStore } from "../../../src/stores/mongo/conversation-store.ts";
import { MongoSessionStore } from "../../../src/stores/mongo/session-store.ts";
import {
  describeMongo,
  type MongoProcess,
  openTestDatabase,
  type TestDatabase,
} from "../../support/mongo.ts";
import { skipOutsideCI } from "../../support/skip.ts";
import { begin, completed, ids, newConversation, newTurn, step, T0 } from "./turns.ts";

const UNAVAILABLE = expect.objectContaining({ code: "unavailable" });
const TIMEOUT_MS = 500;
const WRITERS = 8;

/** Every way of asking the stores for something. */
function allCalls(store: ConversationStore, database: MongoDatabase, ref: CountedTurn) {
  const sessions = new MongoSessionStore(database, 60_000);
  const conversation = newConversation();
  const lease = { holder: "heir", expiresAt: T0 + 30_000 };
  return [
    store.beginTurn(newTurn(conversation.id), conversation),
    store.saveStep(ref, "holder", 0, step, T0),
    store.endTurn(ref, "holder", completed(), T0),
    store.renewLease(ref, "holder", T0),
    store.takeOverTurn(ref, lease, T0),
    store.reopenTurn(ref, T0, lease, T0),
    store.listExpiredTurns(T0, 10),
    store.findTurn(ref),
    store.findTurnByKey("ann", "k"),
    store.listTurns(ref.conversationId, 1, 10),
    store.findConversation("ann", ref.conversationId),
    store.listConversations("ann", 10),
    store.setTitle(ref, "Title"),
    store.ping(),
    sessions.resolve("s", ids.next(), T0),
    sessions.bind("s", ids.next(), T0),
  ];
}

async function reasons(calls: Promise<unknown>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(calls);
  return results.map((result) => (result.status === "rejected" ? result.reason : "no error"));
}

await describeMongo("MongoDB goes away", (server) => {
  let open: TestDatabase;
  let database: MongoDatabase;
  let store: MongoConversationStore;

  beforeEach(async () => {
    open = await openTestDatabase(server);
    database = open.connect({ timeoutMs: TIMEOUT_MS });
    store = new MongoConversationStore(database);
  });
  afterEach(() => open.close());

  /** Once it answers again: the driver looks for the server twice a second. */
  async function serves(asked = store): Promise<void> {
    for (let tries = 0; tries < 30; tries++) {
      try {
        return await asked.ping();
      } catch (error) {
        expect(error).toEqual(UNAVAILABLE);
      }
    }
    throw new Error("The server does not answer again");
  }

  if (server.process) whenTheProcessIsOurs(server.process);
  else {
    skipOutsideCI(
      "its process is killed or stopped",
      "MONGO_URI_TEST names a server of somebody else's: unset it, and set MONGOMS_SYSTEM_BINARY or install mongod",
    );
  }

  function whenTheProcessIsOurs(mongod: MongoProcess): void {
    test("killed under load and started again: nothing acknowledged is lost, and the same client goes on", async () => {
      // With time enough on a machine that has other work.
      const store = new MongoConversationStore(open.connect());
      const acknowledged: { turn: CountedTurn; steps: number; ended: boolean }[] = [];
      const enough = Promise.withResolvers<void>();
      let killed = false;

      const write = async () => {
        while (!killed) {
          const turn = await begin(store);
          const done = { turn, steps: 0, ended: false };
          acknowledged.push(done);
          if (acknowledged.length === 10 * WRITERS) enough.resolve();
          const holder = turn.lease.holder;
          for (; done.steps < 2; done.steps++) await store.saveStep(turn, holder, done.steps, step, T0);
          done.ended = await store.endTurn(turn, holder, completed(), T0 + 60);
        }
      };
      const writers = Array.from({ length: WRITERS }, write);
      await enough.promise;
      await mongod.kill();
      killed = true;
      for (const reason of await reasons(writers)) expect(["no error", UNAVAILABLE]).toContainEqual(reason);
      await mongod.restart();
      await serves(store);

      for (const { turn, steps, ended } of acknowledged) {
        const found = await store.findTurn(turn);
        expect(found?.steps.length).toBeGreaterThanOrEqual(steps);
        expect(["completed", ended ? "completed" : "running"]).toContain(found?.state);
      }
      expect((await begin(store)).seq).toBe(1);
    });

    test("stopped, it makes every call unavailable in its time, and serves again when it goes on", async () => {
      const turn = await begin(store);
      mongod.pause();
      try {
        // The signal takes a moment to stop all of its threads.
        while (
          await store.ping().then(
            () => true,
            () => false,
          )
        );
        for (const reason of await reasons(allCalls(store, database, turn)))
          expect(reason).toEqual(UNAVAILABLE);
      } finally {
        mongod.resume();
      }
      await serves();
      expect(await store.saveStep(turn, turn.lease.holder, 0, step, T0)).toBe(true);
    });

    test("started after the client", async () => {
      await mongod.kill();
      const early = open.connect({ timeoutMs: TIMEOUT_MS });
      await expect(new MongoConversationStore(early).ping()).rejects.toEqual(UNAVAILABLE);
      await mongod.restart();
      await serves();
      await begin(new MongoConversationStore(early));
    });
  }

  describe("a password in the URI", () => {
    const PASSWORD = "s3cret-Pa55";

    function shown(error: unknown): string {
      return inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true });
    }

    test.each([
      ["nobody listens there", "127.0.0.1:9"],
      ["the server does not know it", new URL(server.uri).host],
    ])("is in no error when %s", async (_, host) => {
      const uri = `mongodb://ann:${PASSWORD}@${host}/parley?authSource=admin&directConnection=true`;
      const locked = open.connect({ uri, timeoutMs: TIMEOUT_MS });
      const ref = { conversationId: ids.next(), seq: 1, messageOffset: 0, createdAt: T0 };
      const found = await reasons(allCalls(new MongoConversationStore(locked), locked, ref));
      for (const reason of found) {
        expect(reason).toEqual(UNAVAILABLE);
        expect(shown(reason)).toContain("cause");
        expect(shown(reason)).not.toContain(PASSWORD);
      }
    });

    test.each([
      `mongodb://ann:${PASSWORD}@`,
      `mongodb://ann:${PASSWORD}@host:1:2/parley`,
      `mongodb://ann:${PASSWORD}/more@host/parley`,
      `mongodb://ann:%${PASSWORD}@host/parley`,
      `mongodb://ann:${PASSWORD}@host/parley?maxPoolSize=${PASSWORD}`,
      `mongo://ann:${PASSWORD}@host/parley`,
      `ann:${PASSWORD}@host`,
    ])("is in no error about the malformed %j", (uri) => {
      const construct = () => new MongoDatabase({ uri });
      expect(construct).toThrow("The MongoDB URI can't be used");
      try {
        construct();
      } catch (error) {
        expect(shown(error)).not.toContain(PASSWORD);
      }
    });
  });

  test("a name that DNS does not have is a store that can't be reached", async () => {
    const lost = new MongoDatabase({
      uri: "mongodb+srv://no-such-host.invalid/parley",
      timeoutMs: TIMEOUT_MS,
    });
    await expect(new MongoConversationStore(lost).ping()).rejects.toEqual(UNAVAILABLE);
    await lost.close();
  });

  test("the database is that of the URI's path, or parley", async () => {
    for (const [path, name] of [
      ["", "parley"],
      ["/", "parley"],
      ["/?appName=x", "parley"],
      ["/own%20one?w=1", "own one"],
    ]) {
      const named = new MongoDatabase({ uri: `mongodb://host:27017${path}` });
      expect(named.db.databaseName).toBe(name);
      expect(named.db.writeConcern).toMatchObject({ w: "majority", journal: true });
      await named.close();
    }
  });
});
