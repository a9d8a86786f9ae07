import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { RunningTurn } from "../../../src/core/chat/turn.ts";
import type { MongoDatabase } from "../../../src/stores/mongo/client.ts";
import { MongoConversationStore } from "../../../src/stores/mongo/conversation-store.ts";
import { MongoSessionStore } from "../../../src/stores/mongo/session-store.ts";
import { describeMongo, openTestDatabase, type TestDatabase } from "../../support/mongo.ts";
import { MongoProxy } from "./mongo-proxy.ts";
import { begin, completed, failed, ids, newConversation, newTurn, step, T0 } from "./turns.ts";

await describeMongo("MongoDB's answers get lost", (server) => {
  let open: TestDatabase;
  let proxy: MongoProxy;
  let database: MongoDatabase;
  /** Behind the proxy. */
  let store: MongoConversationStore;
  /** Sees what the server has. */
  let direct: MongoConversationStore;

  beforeEach(async () => {
    open = await openTestDatabase(server);
    const connected = open.connect();
    direct = new MongoConversationStore(connected);
    proxy = await MongoProxy.start(server.uri);
    database = open.connect({ uri: proxy.uri(connected.db.databaseName) });
    store = new MongoConversationStore(database);
    await store.ping();
  });
  afterEach(async () => {
    expect(proxy.pending).toBe(0);
    proxy.close();
    await open.close();
  });

  async function turnCount({ conversationId }: RunningTurn): Promise<number> {
    return (await direct.listTurns(conversationId, 1, 100)).length;
  }

  test("beginTurn: of the conversation's insert", async () => {
    proxy.loseAnswer("insert", "conversations");
    expect(await begin(store)).toMatchObject({ seq: 1 });
    expect(await direct.listConversations("ann", 10)).toHaveLength(1);
  });

  test("beginTurn: of the turn's insert", async () => {
    proxy.loseAnswer("insert", "turns");
    const turn = await begin(store);
    expect(await direct.findTurn(turn)).toEqual(turn);
    expect(await turnCount(turn)).toBe(1);
  });

  test("beginTurn: of a keyed turn's insert, which is not its own duplicate", async () => {
    proxy.loseAnswer("insert", "turns");
    const turn = await begin(store, { idempotencyKey: "k" });
    expect(await turnCount(turn)).toBe(1);
  });

  test("beginTurn: of the insert in a conversation that is known", async () => {
    const first = await begin(store);
    await store.setTitle(first, "Lisbon");
    await store.endTurn(first, first.lease.holder, completed(), T0 + 60);
    proxy.loseAnswer("insert", "turns");
    const turn = await begin(store, { conversationId: first.conversationId, idempotencyKey: "k" });
    expect(turn).toMatchObject({ seq: 2, messageOffset: 2 });
    expect(await turnCount(turn)).toBe(2);
  });

  describe("beginTurn: of the turn's insert, which is done only when it is looked for again", () => {
    const last = { command: "find", collection: "conversations" };

    test.each([undefined, "k"])("with the key %s", async (idempotencyKey) => {
      proxy.delay("insert", "turns", last);
      const turn = await begin(store, { idempotencyKey });
      expect(await direct.findTurn(turn)).toEqual(turn);
      expect(await turnCount(turn)).toBe(1);
    });

    test("in a conversation that was known", async () => {
      const first = await begin(store);
      await store.setTitle(first, "Lisbon");
      await store.endTurn(first, first.lease.holder, completed(), T0 + 60);
      proxy.delay("insert", "turns", last);
      expect(await begin(store, { conversationId: first.conversationId })).toMatchObject({ seq: 2 });
      expect(await turnCount(first)).toBe(2);
    });
  });

  describe("beginTurn: of the turn's insert, while the turn is taken over", () => {
    const lease = { holder: "heir", expiresAt: T0 + 30_000 };
    const takeOver = ({ conversationId }: { conversationId: string }, seq: number) =>
      direct.takeOverTurn({ conversationId, seq }, lease, T0 + 10_000);

    test("and runs", async () => {
      const conversation = newConversation();
      const turn = newTurn(conversation.id);
      proxy.loseAnswer("insert", "turns", "cut", () => takeOver(turn, 1));
      const outcome = await store.beginTurn(turn, conversation);
      expect(outcome).toMatchObject({ type: "duplicate", turn: { id: turn.id, state: "running", lease } });
      expect(await direct.listTurns(conversation.id, 1, 100)).toHaveLength(1);
    });

    test("and ended, in a conversation that was known and has gone on", async () => {
      const first = await begin(store);
      await store.setTitle(first, "Lisbon");
      await store.endTurn(first, first.lease.holder, completed(), T0 + 60);
      const turn = newTurn(first.conversationId);
      proxy.loseAnswer("insert", "turns", "cut", async () => {
        const taken = await takeOver(turn, 2);
        if (taken) await direct.endTurn(taken, lease.holder, completed(), T0 + 10_060);
        await begin(direct, { conversationId: turn.conversationId });
      });
      const outcome = await store.beginTurn(turn);
      expect(outcome).toMatchObject({ type: "duplicate", turn: { id: turn.id, seq: 2, state: "completed" } });
      expect(await direct.listTurns(turn.conversationId, 1, 100)).toHaveLength(3);
    });
  });

  test("beginTurn: of the conversation's count", async () => {
    proxy.loseAnswer("update", "conversations");
    const { conversationId } = await begin(store);
    const counted = { turnCount: 1, messageCount: 1 };
    expect(await direct.findConversation("ann", conversationId)).toMatchObject(counted);
  });

  test("beginTurn: of the failed turn's closing", async () => {
    const turn = await begin(store);
    await store.endTurn(turn, turn.lease.holder, failed, T0 + 5);
    proxy.loseAnswer("update", "turns");
    expect(await begin(store, { conversationId: turn.conversationId })).toMatchObject({ seq: 2 });
  });

  test("saveStep and renewLease", async () => {
    const turn = await begin(store);
    const holder = turn.lease.holder;
    proxy.loseAnswer("update", "turns");
    expect(await store.saveStep(turn, holder, 0, step, T0 + 1)).toBe(true);
    proxy.loseAnswer("update", "turns");
    expect(await store.renewLease(turn, holder, T0 + 20_000)).toBe(true);
    expect(await direct.findTurn(turn)).toMatchObject({
      steps: [step],
      lease: { holder, expiresAt: T0 + 20_000 },
    });
  });

  test.each([{ outcome: completed() }, { outcome: failed }])(
    "endTurn, $outcome.state",
    async ({ outcome }) => {
      const turn = await begin(store);
      proxy.loseAnswer("update", "turns");
      expect(await store.endTurn(turn, turn.lease.holder, outcome, T0 + 60)).toBe(true);
      expect(await direct.findTurn(turn)).toMatchObject(outcome);
      const messageCount = outcome.state === "completed" ? 2 : 1;
      expect(await direct.listConversations("ann", 1)).toMatchObject([{ messageCount }]);
    },
  );

  test("endTurn: of the conversation's count", async () => {
    const turn = await begin(store);
    proxy.loseAnswer("update", "conversations");
    expect(await store.endTurn(turn, turn.lease.holder, completed(), T0 + 60)).toBe(true);
    expect(await direct.listConversations("ann", 1)).toMatchObject([{ messageCount: 2 }]);
  });

  test("endTurn of several at the same time", async () => {
    const begun = await Promise.all(Array.from({ length: 12 }, () => begin(store)));
    // The first one goes alone, the others together.
    for (let count = 0; count < 2; count++) proxy.loseAnswer("update", "turns");
    const ended = begun.map((turn) => store.endTurn(turn, turn.lease.holder, failed, T0 + 60));
    expect(await Promise.all(ended)).toEqual(begun.map(() => true));
    for (const turn of begun) expect(await direct.findTurn(turn)).toMatchObject(failed);
  });

  test("takeOverTurn: the attempt counts once", async () => {
    const turn = await begin(store);
    const lease = { holder: "heir", expiresAt: T0 + 30_000 };
    proxy.loseAnswer("findAndModify", "turns");
    expect(await store.takeOverTurn(turn, lease, T0 + 10_000)).toMatchObject({ attempts: 2, lease });
    expect(await direct.findTurn(turn)).toMatchObject({ attempts: 2, lease });
  });

  test("takeOverTurn that is done only when it is made again", async () => {
    const turn = await begin(store);
    const lease = { holder: "heir", expiresAt: T0 + 30_000 };
    proxy.delay("findAndModify", "turns", { command: "findAndModify", collection: "turns" });
    expect(await store.takeOverTurn(turn, lease, T0 + 10_000)).toMatchObject({ attempts: 2, lease });
    expect(await direct.findTurn(turn)).toMatchObject({ attempts: 2, lease });
  });

  test("reopenTurn", async () => {
    const turn = await begin(store);
    await store.endTurn(turn, turn.lease.holder, failed, T0 + 5);
    const lease = { holder: "again", expiresAt: T0 + 30_000 };
    proxy.loseAnswer("findAndModify", "turns");
    expect(await store.reopenTurn(turn, T0 + 5, lease, T0 + 6)).toMatchObject({ attempts: 1, lease });
  });

  test("setTitle", async () => {
    const { conversationId } = await begin(store);
    proxy.loseAnswer("update", "conversations");
    await store.setTitle({ conversationId, seq: 1 }, "Lisbon");
    expect(await direct.findConversation("ann", conversationId)).toMatchObject({ title: "Lisbon" });
  });

  test("a session keeps the conversation that it was given", async () => {
    const sessions = new MongoSessionStore(database, 60_000);
    const [first, second, third] = [ids.next(), ids.next(), ids.next()];
    proxy.loseAnswer("insert", "sessions");
    expect(await sessions.resolve("s", first, T0)).toBe(first);
    proxy.loseAnswer("findAndModify", "sessions");
    expect(await sessions.resolve("s", second, T0 + 1)).toBe(first);
    proxy.loseAnswer("update", "sessions");
    expect(await sessions.resolve("s", second, T0 + 60_001)).toBe(second);
    proxy.loseAnswer("update", "sessions");
    await sessions.bind("s", third, T0 + 60_002);
    expect(await sessions.resolve("s", first, T0 + 60_003)).toBe(third);
  });

  test("a write whose answer is lost again and again is unavailable", async () => {
    const turn = await begin(store);
    for (let count = 0; count < 2; count++) proxy.loseAnswer("update", "turns");
    const saved = store.saveStep(turn, turn.lease.holder, 0, step, T0 + 1);
    await expect(saved).rejects.toMatchObject({ code: "unavailable" });
  });

  test("without a server to ask, a write whose answer is lost is unavailable, and found later", async () => {
    const hasty = open.connect({ uri: proxy.uri(database.db.databaseName), timeoutMs: 500 });
    const conversation = newConversation();
    const turn = newTurn(conversation.id, { idempotencyKey: "k" });
    proxy.loseAnswer("insert", "turns", "with_server");
    const begun = new MongoConversationStore(hasty).beginTurn(turn, conversation);
    await expect(begun).rejects.toMatchObject({ code: "unavailable" });
    expect(await direct.findTurnByKey("ann", "k")).toMatchObject({ id: turn.id, state: "running" });
  });
});
