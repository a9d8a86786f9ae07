import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { RunningTurn } from "../../../src/core/chat/turn.ts";
import type { MongoDatabase } from "../../../src/stores/mongo/client.ts";
import { MongoConversationStore } from "../../../src/stores/mongo/conversation-store.ts";
import {
  type ConversationDocument,
  newConversationDocument,
  type TurnDocument,
} from "../../../src/stores/mongo/documents.ts";
import { describeMongo, openTestDatabase, type TestDatabase } from "../../support/mongo.ts";
import { begin, completed, failed, newConversation, newTurn, T0 } from "./turns.ts";

/** Each test makes by hand what a process leaves that dies between two of its writes. */
await describeMongo("MongoConversationStore after a crash", (server) => {
  let open: TestDatabase;
  let database: MongoDatabase;
  let store: MongoConversationStore;

  beforeEach(async () => {
    open = await openTestDatabase(server);
    database = open.connect();
    store = new MongoConversationStore(database);
  });
  afterEach(() => open.close());

  const conversations = () => database.db.collection<ConversationDocument>("conversations");
  const turns = () => database.db.collection<TurnDocument>("turns");

  /** Does something, and takes back what it wrote to the conversation. */
  async function uncounted<T>(conversationId: string, work: () => Promise<T>): Promise<T> {
    const before = await conversations().findOne({ _id: conversationId });
    const result = await work();
    if (before) {
      const { turn_count, message_count, updated_at } = before;
      await conversations().updateOne(
        { _id: conversationId },
        { $set: { turn_count, message_count, updated_at } },
      );
    }
    return result;
  }

  /** A conversation whose first turn is running and was never counted. */
  async function beginUncounted(): Promise<RunningTurn> {
    const conversation = newConversation();
    await conversations().insertOne(newConversationDocument(conversation));
    return uncounted(conversation.id, () => begin(store, { conversationId: conversation.id }));
  }

  const lease = { holder: "heir", expiresAt: T0 + 30_000 };

  describe("after making the conversation", () => {
    test("it is in no list, and takes its first turn", async () => {
      const conversation = newConversation();
      await conversations().insertOne(newConversationDocument(conversation));
      expect(await store.listConversations("ann", 10)).toEqual([]);
      const outcome = await store.beginTurn(newTurn(conversation.id), conversation);
      expect(outcome).toMatchObject({ type: "begun", turn: { seq: 1, messageOffset: 0 } });
      expect(await store.listConversations("ann", 10)).toMatchObject([{ id: conversation.id }]);
    });
  });

  describe("after inserting the turn", () => {
    test("the conversation is busy with it", async () => {
      const turn = await beginUncounted();
      const busy = await store.beginTurn(newTurn(turn.conversationId));
      expect(busy).toEqual({ type: "busy", running: turn });
    });

    test("its key finds it", async () => {
      const conversation = newConversation();
      await store.beginTurn(newTurn(conversation.id, { idempotencyKey: "k" }), conversation);
      await conversations().updateOne({ _id: conversation.id }, { $set: { turn_count: 0 } });
      const again = await store.beginTurn(newTurn(conversation.id, { idempotencyKey: "k" }));
      expect(again).toMatchObject({ type: "duplicate", turn: { seq: 1 } });
    });

    test("reading the conversation counts it", async () => {
      const { conversationId } = await beginUncounted();
      const counted = { turnCount: 1, messageCount: 1 };
      expect(await store.findConversation("ann", conversationId)).toMatchObject(counted);
      expect(await store.listConversations("ann", 10)).toMatchObject([counted]);
    });

    test("taking it over counts it, before it can end", async () => {
      const turn = await beginUncounted();
      expect(await store.takeOverTurn(turn, lease, T0 + 10_000)).toMatchObject({ attempts: 2 });
      expect(await store.listConversations("ann", 10)).toMatchObject([{ turnCount: 1, messageCount: 1 }]);
    });
  });

  test("after a take-over that was not counted, the next one counts", async () => {
    const turn = await beginUncounted();
    await uncounted(turn.conversationId, () => store.takeOverTurn(turn, lease, T0 + 10_000));
    await store.takeOverTurn(turn, { holder: "second", expiresAt: T0 + 60_000 }, T0 + 30_000);
    expect(await store.listConversations("ann", 10)).toMatchObject([{ turnCount: 1, messageCount: 1 }]);
  });

  describe("after ending the turn", () => {
    async function endUncounted(): Promise<RunningTurn> {
      const turn = await begin(store);
      const end = () => store.endTurn(turn, turn.lease.holder, completed(), T0 + 60);
      expect(await uncounted(turn.conversationId, end)).toBe(true);
      return turn;
    }

    test("reading the conversation counts the reply", async () => {
      const { conversationId } = await endUncounted();
      const counted = { turnCount: 1, messageCount: 2, updatedAt: T0 + 60 };
      expect(await store.findConversation("ann", conversationId)).toMatchObject(counted);
      expect(await store.listConversations("ann", 10)).toMatchObject([counted]);
    });

    test("the next turn counts the reply", async () => {
      const { conversationId } = await endUncounted();
      const next = await store.beginTurn(newTurn(conversationId));
      expect(next).toMatchObject({
        turn: { seq: 2, messageOffset: 2 },
        conversation: { turnCount: 2, messageCount: 3 },
      });
    });
  });

  describe("after inserting a turn in a conversation that was known", () => {
    async function beginKnown(): Promise<RunningTurn> {
      const first = await begin(store);
      await store.setTitle(first, "Lisbon");
      await store.endTurn(first, first.lease.holder, completed(), T0 + 60);
      const second = await begin(store, { conversationId: first.conversationId });
      expect(await store.listConversations("ann", 10)).toMatchObject([{ turnCount: 1, messageCount: 2 }]);
      return second;
    }
    const counted = { turnCount: 2, messageCount: 3 };

    test("reading the conversation counts it", async () => {
      const { conversationId } = await beginKnown();
      expect(await store.findConversation("ann", conversationId)).toMatchObject(counted);
      expect(await store.listConversations("ann", 10)).toMatchObject([counted]);
    });

    test("taking it over counts it", async () => {
      const heir = new MongoConversationStore(database);
      expect(await heir.takeOverTurn(await beginKnown(), lease, T0 + 10_000)).toMatchObject({ attempts: 2 });
      expect(await store.listConversations("ann", 10)).toMatchObject([counted]);
    });

    test("and ending it, failed, the next turn counts it", async () => {
      const { conversationId, lease: own, ...turn } = await beginKnown();
      const end = () => store.endTurn({ ...turn, conversationId }, own.holder, failed, T0 + 70);
      expect(await uncounted(conversationId, end)).toBe(true);
      const next = await new MongoConversationStore(database).beginTurn(newTurn(conversationId));
      expect(next).toMatchObject({
        turn: { seq: 3, messageOffset: 3 },
        conversation: { turnCount: 3, messageCount: 4 },
      });
    });
  });

  describe("after superseding a failed turn", () => {
    async function superseded(): Promise<RunningTurn> {
      const turn = await begin(store);
      await store.endTurn(turn, turn.lease.holder, failed, T0 + 5);
      await turns().updateOne({ turn_id: turn.id }, { $set: { superseded: true } });
      return turn;
    }

    test("it stays failed, and the next turn begins", async () => {
      const turn = await superseded();
      expect(await store.reopenTurn(turn, T0 + 5, lease, T0 + 6)).toBeUndefined();
      const next = await begin(store, { conversationId: turn.conversationId });
      expect(next).toMatchObject({ seq: 2, messageOffset: 1 });
    });
  });

  test("a turn begins after a failed one or that one is reopened, never both", async () => {
    for (let round = 0; round < 20; round++) {
      const turn = await begin(store);
      await store.endTurn(turn, turn.lease.holder, failed, T0 + 5);
      const [reopened, next] = await Promise.all([
        store.reopenTurn(turn, T0 + 5, lease, T0 + 6),
        store.beginTurn(newTurn(turn.conversationId)),
      ]);
      expect(next.type).toBe(reopened ? "busy" : "begun");
    }
  });

  test("sums that are far behind are caught up with", async () => {
    const first = await begin(store);
    const { conversationId } = first;
    await store.endTurn(first, first.lease.holder, completed(), T0 + 60);
    for (let seq = 2; seq <= 5; seq++) {
      const turn = await begin(store, { conversationId });
      await store.endTurn(turn, turn.lease.holder, completed(), T0 + 60);
    }
    await conversations().updateOne({ _id: conversationId }, { $set: { turn_count: 1, message_count: 1 } });
    const next = await store.beginTurn(newTurn(conversationId));
    expect(next).toMatchObject({
      turn: { seq: 6, messageOffset: 10 },
      conversation: { turnCount: 6, messageCount: 11 },
    });
  });
});
