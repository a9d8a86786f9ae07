import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { BeginOutcome, ConversationStore } from "../../../src/core/chat/conversation-store.ts";
import type { NewTurn, RunningTurn, TurnRef } from "../../../src/core/chat/turn.ts";
import { MongoConversationStore } from "../../../src/stores/mongo/conversation-store.ts";
import type { ConversationDocument } from "../../../src/stores/mongo/documents.ts";
import { describeMongo, openTestDatabase, type TestDatabase } from "../../support/mongo.ts";
import { begin, completed, failed, newCall, newConversation, newTurn, step, T0 } from "./turns.ts";

/** A store begins turns without a look where it knows the conversation: here others were there meanwhile. */
await describeMongo("MongoConversationStore in a conversation that it knows", (server) => {
  let open: TestDatabase;
  let here: MongoConversationStore;
  let elsewhere: MongoConversationStore;
  /** Of `here`. */
  let commands: string[];

  beforeEach(async () => {
    open = await openTestDatabase(server);
    const database = open.connect({ monitorCommands: true });
    here = new MongoConversationStore(database);
    elsewhere = new MongoConversationStore(open.connect());
    await here.ping();
    commands = [];
    database.client.on("commandStarted", ({ commandName, command }) =>
      commands.push(`${commandName} ${command[commandName]}`),
    );
  });
  afterEach(() => open.close());

  async function complete(store: ConversationStore, turn: RunningTurn): Promise<void> {
    expect(await store.endTurn(turn, turn.lease.holder, completed(), T0 + 60)).toBe(true);
  }

  /** A conversation whose first turn has completed, with a title of its own. */
  async function knownHere(changes: Partial<NewTurn> = {}): Promise<RunningTurn> {
    const turn = await begin(here, changes);
    await here.setTitle(turn, "Lisbon");
    await complete(here, turn);
    commands.length = 0;
    return turn;
  }

  async function seqs({ conversationId }: TurnRef): Promise<number[]> {
    return (await elsewhere.listTurns(conversationId, 1, 100)).map(({ seq }) => seq);
  }

  test("a turn makes four commands", async () => {
    const { conversationId } = await knownHere();
    const outcome = await here.beginTurn(newTurn(conversationId), undefined, [newCall()]);
    expect(outcome).toMatchObject({
      type: "begun",
      turn: { seq: 2, messageOffset: 2 },
      conversation: { title: "Lisbon", titleState: "final", turnCount: 2, messageCount: 3 },
    });
    const { turn } = outcome as Extract<BeginOutcome, { type: "begun" }>;
    await here.saveStep(turn, turn.lease.holder, 0, step, T0 + 1);
    await here.endTurn(turn, turn.lease.holder, completed(), T0 + 60, [], { index: 1, step });
    expect(commands).toEqual(["insert turns", "update turns", "update turns", "update conversations"]);
    const [conversation] = await elsewhere.listConversations("ann", 10);
    expect(conversation).toMatchObject({ turnCount: 2, messageCount: 4, updatedAt: T0 + 60 });
  });

  test("others have gone on: the turn comes after theirs, again and again", async () => {
    const first = await knownHere();
    const { conversationId } = first;
    for (let seq = 2; seq <= 7; seq++) {
      const store = seq % 2 === 0 ? elsewhere : here;
      const turn = await begin(store, { conversationId });
      expect(turn).toMatchObject({ seq, messageOffset: 2 * (seq - 1) });
      await complete(store, turn);
    }
    expect(await seqs(first)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const conversation = await here.findConversation("ann", conversationId);
    expect(conversation).toMatchObject({ turnCount: 7, messageCount: 14 });
  });

  test("another's turn is running: it is busy with that", async () => {
    const { conversationId } = await knownHere();
    const running = await begin(elsewhere, { conversationId });
    expect(await here.beginTurn(newTurn(conversationId))).toEqual({ type: "busy", running });
  });

  test("another's turn has failed: it is superseded", async () => {
    const { conversationId } = await knownHere();
    const turn = await begin(elsewhere, { conversationId });
    await elsewhere.endTurn(turn, turn.lease.holder, failed, T0 + 70);
    expect(await begin(here, { conversationId })).toMatchObject({ seq: 3, messageOffset: 3 });
    const lease = { holder: "again", expiresAt: T0 + 90_000 };
    expect(await elsewhere.reopenTurn(turn, T0 + 70, lease, T0 + 80)).toBeUndefined();
  });

  test("a failed turn of its own is reopened elsewhere: the next one comes after its reply", async () => {
    const { conversationId } = await knownHere();
    const turn = await begin(here, { conversationId });
    await here.endTurn(turn, turn.lease.holder, failed, T0 + 70);
    const lease = { holder: "again", expiresAt: T0 + 90_000 };
    const reopened = await elsewhere.reopenTurn(turn, T0 + 70, lease, T0 + 80);
    expect(await here.beginTurn(newTurn(conversationId))).toEqual({ type: "busy", running: reopened });
    expect(await elsewhere.endTurn(turn, "again", completed(), T0 + 85)).toBe(true);
    expect(await begin(here, { conversationId })).toMatchObject({ seq: 3, messageOffset: 4 });
  });

  test("a turn of its own was taken over: what its heir wrote counts", async () => {
    const { conversationId } = await knownHere();
    const turn = await begin(here, { conversationId });
    const lease = { holder: "heir", expiresAt: T0 + 90_000 };
    await elsewhere.takeOverTurn(turn, lease, T0 + 10_000);
    expect(await here.endTurn(turn, turn.lease.holder, completed(), T0 + 60)).toBe(false);
    expect(await here.beginTurn(newTurn(conversationId))).toMatchObject({ type: "busy" });
    expect(await elsewhere.endTurn(turn, "heir", failed, T0 + 11_000)).toBe(true);
    expect(await begin(here, { conversationId })).toMatchObject({ seq: 3, messageOffset: 3 });
  });

  test("a key that the conversation has gives its turn, whoever made it", async () => {
    const first = await knownHere({ idempotencyKey: "first" });
    const { conversationId } = first;
    const again = await here.beginTurn(newTurn(conversationId, { idempotencyKey: "first" }));
    expect(again).toMatchObject({ type: "duplicate", turn: { id: first.id, state: "completed" } });
    const second = await begin(elsewhere, { conversationId, idempotencyKey: "second" });
    await complete(elsewhere, second);
    const other = await here.beginTurn(newTurn(conversationId, { idempotencyKey: "second" }));
    expect(other).toMatchObject({ type: "duplicate", turn: { id: second.id } });
    expect(await seqs(first)).toEqual([1, 2]);
  });

  test("of many at once, here and elsewhere, exactly one begins", async () => {
    const first = await knownHere();
    const { conversationId } = first;
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        (index % 2 === 0 ? here : elsewhere).beginTurn(newTurn(conversationId)),
      ),
    );
    expect(outcomes.filter(({ type }) => type === "begun")).toHaveLength(1);
    expect(outcomes.filter(({ type }) => type === "busy")).toHaveLength(29);
    expect(await seqs(first)).toEqual([1, 2]);
  });

  test("to other owners there is no such conversation", async () => {
    const { conversationId } = await knownHere();
    const foreign = here.beginTurn(newTurn(conversationId, { owner: "bob" }));
    await expect(foreign).rejects.toMatchObject({ code: "not_found" });
    expect(await begin(here, { conversationId })).toMatchObject({ seq: 2 });
  });

  test("a title that is still to come is looked for", async () => {
    const turn = await begin(here);
    await complete(here, turn);
    await elsewhere.setTitle(turn, "Porto");
    await here.setTitle(turn, "Too late");
    const calls = [newCall(), newCall({ operation: "title" })];
    const outcome = await here.beginTurn(newTurn(turn.conversationId), undefined, calls);
    expect(outcome).toMatchObject({ conversation: { title: "Porto", titleState: "final" } });
  });

  test("a title that comes after the reply makes it known as well", async () => {
    const turn = await begin(here);
    await complete(here, turn);
    await here.setTitle(turn, "Porto");
    commands.length = 0;
    const outcome = await here.beginTurn(newTurn(turn.conversationId));
    expect(outcome).toMatchObject({ conversation: { title: "Porto", titleState: "final" } });
    expect(commands).toEqual(["insert turns"]);
  });

  test("a new conversation is looked for once", async () => {
    const conversation = newConversation();
    await here.beginTurn(newTurn(conversation.id), conversation);
    expect(commands).toEqual([
      "find conversations",
      "insert conversations",
      "insert turns",
      "update conversations",
    ]);
  });

  test("one that has gone is noticed", async () => {
    const { conversationId } = await knownHere();
    const { db } = open.connect();
    await db.collection<ConversationDocument>("conversations").deleteOne({ _id: conversationId });
    const turn = await begin(here, { conversationId });
    const ended = here.endTurn(turn, turn.lease.holder, completed(), T0 + 60);
    await expect(ended).rejects.toThrow("has no conversation");
    const next = here.beginTurn(newTurn(conversationId));
    await expect(next).rejects.toMatchObject({ code: "not_found" });
  });
});
