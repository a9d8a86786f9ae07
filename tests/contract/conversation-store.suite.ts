import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Step } from "../../src/core/assistant/step.ts";
import type { NewConversation } from "../../src/core/chat/conversation.ts";
import type { ConversationStore } from "../../src/core/chat/conversation-store.ts";
import type { NewTurn, RunningTurn, TurnError } from "../../src/core/chat/turn.ts";
import { randomIds } from "../../src/core/ids.ts";

/** A fresh store; `reopen` gives another connection to the same data. */
export interface StoreUnderTest {
  store: ConversationStore;
  reopen(): Promise<ConversationStore>;
  close(): Promise<void>;
}

const T0 = Date.parse("2026-11-21T09:00:00Z");
const ids = randomIds(() => T0);

const step: Step = {
  provider: "p",
  model: "m",
  content: 'Let me "look" — naïve 🌦️\u0000',
  toolCalls: [
    { id: "a", name: "get_weather", arguments: '{"location":"Lisbon"}', result: '{"t":20}', durationMs: 12 },
    { id: "b", name: "nope", arguments: "{broken", error: "There is no tool named nope.", durationMs: 0 },
  ],
  finishReason: "tool_calls",
  usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 1, reasoningTokens: 2 },
  startedAt: T0 + 5,
  durationMs: 40,
  firstTokenMs: 7,
};
const reply = { messageId: ids.next(), content: "It is 20 °C.", createdAt: T0 + 60 };
const failure: TurnError = { code: "unavailable", message: "Later", retryable: true, meta: { reason: "x" } };

function newConversation(changes: Partial<NewConversation> = {}): NewConversation {
  return { id: ids.next(), owner: "ann", title: "Weather", createdAt: T0, ...changes };
}

function newTurn(conversationId: string, changes: Partial<NewTurn> = {}): NewTurn {
  return {
    id: ids.next(),
    conversationId,
    owner: "ann",
    idempotencyKey: undefined,
    requestHash: "hash",
    userLocale: { timezone: "Europe/Madrid", locale: "en-GB" },
    platform: undefined,
    user: { messageId: ids.next(), content: "Weather in Lisbon? \u0000 🌦️", createdAt: T0 },
    createdAt: T0,
    lease: { holder: ids.next(), expiresAt: T0 + 10_000 },
    ...changes,
  };
}

/** What every ConversationStore must do, whatever it is made of. */
export function conversationStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`ConversationStore: ${name}`, () => {
    let under: StoreUnderTest;
    let store: ConversationStore;

    beforeEach(async () => {
      under = await open();
      store = under.store;
    });
    afterEach(() => under.close());

    async function begin(turn: NewTurn, ifMissing?: NewConversation): Promise<RunningTurn> {
      const outcome = await store.beginTurn(turn, ifMissing);
      if (outcome.type !== "begun") throw new Error(`begun was expected, not ${outcome.type}`);
      return outcome.turn;
    }

    async function beginFirst(changes: Partial<NewTurn> = {}): Promise<RunningTurn> {
      const conversation = newConversation();
      return begin(newTurn(conversation.id, changes), conversation);
    }

    async function complete(turn: RunningTurn, now = T0 + 60): Promise<void> {
      const outcome = { state: "completed" as const, reply: { ...reply, createdAt: now } };
      expect(await store.endTurn(turn, turn.lease.holder, outcome, now)).toBe(true);
    }

    describe("beginTurn", () => {
      test("makes the conversation, and the turn reads back as it was given", async () => {
        const conversation = newConversation();
        const turn = newTurn(conversation.id, { idempotencyKey: "k", platform: "telegram" });
        const outcome = await store.beginTurn(turn, conversation);
        const expected = {
          ...turn,
          seq: 1,
          messageOffset: 0,
          steps: [],
          attempts: 1,
          state: "running",
          updatedAt: T0,
        };
        const stored = {
          ...conversation,
          titleState: "pending",
          turnCount: 1,
          messageCount: 1,
          updatedAt: T0,
        };
        expect(outcome).toEqual({ type: "begun", turn: expected, conversation: stored });
        const other = await under.reopen();
        expect(await other.findTurn({ conversationId: conversation.id, seq: 1 })).toEqual(expected);
        expect(await other.findConversation("ann", conversation.id)).toEqual(stored);
      });

      test("an existing conversation is not made again", async () => {
        const first = await beginFirst();
        await complete(first);
        const again = newConversation({ id: first.conversationId, title: "Another" });
        const second = await begin(newTurn(first.conversationId), again);
        expect(second).toMatchObject({ seq: 2, messageOffset: 2 });
        expect(await store.findConversation("ann", first.conversationId)).toMatchObject({
          title: "Weather",
          turnCount: 2,
          messageCount: 3,
        });
      });

      test("without a conversation, or with another owner's, it is not_found", async () => {
        const unknown = newTurn(ids.next());
        await expect(store.beginTurn(unknown)).rejects.toMatchObject({ code: "not_found" });
        const first = await beginFirst();
        const foreign = newTurn(first.conversationId, { owner: "bob" });
        await expect(store.beginTurn(foreign)).rejects.toMatchObject({ code: "not_found" });
        const taken = newConversation({ id: first.conversationId, owner: "bob" });
        await expect(store.beginTurn(foreign, taken)).rejects.toMatchObject({ code: "not_found" });
      });

      test("a running turn makes the conversation busy, an ended one does not", async () => {
        const first = await beginFirst();
        const busy = await store.beginTurn(newTurn(first.conversationId));
        expect(busy).toEqual({ type: "busy", running: first });
        await complete(first);
        expect((await begin(newTurn(first.conversationId))).seq).toBe(2);
      });

      test("the same key in a conversation gives the first turn, whatever its state", async () => {
        const first = await beginFirst({ idempotencyKey: "k" });
        const again = newTurn(first.conversationId, { idempotencyKey: "k" });
        expect(await store.beginTurn(again)).toEqual({ type: "duplicate", turn: first });
        await complete(first);
        expect(await store.beginTurn(again)).toMatchObject({
          type: "duplicate",
          turn: { id: first.id, state: "completed" },
        });
        const other = await beginFirst();
        await complete(other);
        expect((await begin(newTurn(other.conversationId, { idempotencyKey: "k" }))).seq).toBe(2);
      });

      test("the same key in a conversation that may be made gives the turn of any", async () => {
        const first = await beginFirst({ idempotencyKey: "k" });
        const elsewhere = newConversation();
        const again = newTurn(elsewhere.id, { idempotencyKey: "k" });
        expect(await store.beginTurn(again, elsewhere)).toEqual({ type: "duplicate", turn: first });
        expect(await store.findConversation("ann", elsewhere.id)).toBeUndefined();
        const bobs = newConversation({ owner: "bob" });
        const his = newTurn(bobs.id, { owner: "bob", idempotencyKey: "k" });
        expect((await begin(his, bobs)).seq).toBe(1);
      });

      test("of many at once in a new conversation exactly one begins", async () => {
        const conversation = newConversation();
        const stores = [store, await under.reopen()];
        const outcomes = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            (stores[index % 2] as ConversationStore).beginTurn(newTurn(conversation.id), conversation),
          ),
        );
        expect(outcomes.filter(({ type }) => type === "begun")).toHaveLength(1);
        expect(outcomes.filter(({ type }) => type === "busy")).toHaveLength(49);
        expect(await store.listConversations("ann", 10)).toHaveLength(1);
      });

      test("of many at once with one key all but one are its duplicates", async () => {
        const conversation = newConversation();
        const outcomes = await Promise.all(
          Array.from({ length: 50 }, () =>
            store.beginTurn(newTurn(conversation.id, { idempotencyKey: "k" }), conversation),
          ),
        );
        const begun = outcomes.filter((outcome) => outcome.type === "begun");
        expect(begun).toHaveLength(1);
        const turnIds = new Set(outcomes.map((outcome) => "turn" in outcome && outcome.turn.id));
        expect(turnIds.size).toBe(1);
      });
    });

    describe("a running turn", () => {
      test("keeps its steps in order, and a step can be replaced", async () => {
        const turn = await beginFirst();
        const holder = turn.lease.holder;
        const second = { ...step, content: "second" };
        expect(await store.saveStep(turn, holder, 0, { ...step, toolCalls: [] }, T0 + 1)).toBe(true);
        expect(await store.saveStep(turn, holder, 0, step, T0 + 2)).toBe(true);
        expect(await store.saveStep(turn, holder, 1, second, T0 + 3)).toBe(true);
        expect(await store.findTurn(turn)).toMatchObject({ steps: [step, second], updatedAt: T0 + 3 });
      });

      test("a step that would leave a gap is not written", async () => {
        const turn = await beginFirst();
        expect(await store.saveStep(turn, turn.lease.holder, 1, step, T0)).toBe(false);
        expect(await store.findTurn(turn)).toMatchObject({ steps: [] });
      });

      test("ends completed, with its reply", async () => {
        const turn = await beginFirst();
        await store.saveStep(turn, turn.lease.holder, 0, step, T0 + 1);
        await complete(turn);
        const { lease: _, ...rest } = turn;
        expect(await store.findTurn(turn)).toEqual({
          ...rest,
          state: "completed",
          steps: [step],
          reply,
          updatedAt: T0 + 60,
        });
        expect(await store.findConversation("ann", turn.conversationId)).toMatchObject({
          messageCount: 2,
          updatedAt: T0 + 60,
        });
      });

      test("ends failed, with its error, and counts no reply", async () => {
        const turn = await beginFirst();
        const outcome = { state: "failed" as const, error: failure };
        expect(await store.endTurn(turn, turn.lease.holder, outcome, T0 + 9)).toBe(true);
        expect(await store.findTurn(turn)).toMatchObject({ state: "failed", error: failure });
        expect(await store.findConversation("ann", turn.conversationId)).toMatchObject({ messageCount: 1 });
      });

      test("ends with its last step, unless that would leave a gap", async () => {
        const turn = await beginFirst();
        const { holder } = turn.lease;
        const outcome = { state: "failed" as const, error: failure };
        await store.saveStep(turn, holder, 0, step, T0 + 1);
        const last = { ...step, content: "last" };
        expect(await store.endTurn(turn, holder, outcome, T0 + 2, [], { index: 2, step: last })).toBe(false);
        expect(await store.endTurn(turn, holder, outcome, T0 + 2, [], { index: 1, step: last })).toBe(true);
        expect(await store.findTurn(turn)).toMatchObject({ state: "failed", steps: [step, last] });
      });

      test("can be written by its holder only", async () => {
        const turn = await beginFirst();
        const outcome = { state: "failed" as const, error: failure };
        expect(await store.saveStep(turn, "other", 0, step, T0)).toBe(false);
        expect(await store.endTurn(turn, "other", outcome, T0)).toBe(false);
        expect(await store.renewLease(turn, "other", T0 + 99_000)).toBe(false);
        expect(await store.findTurn(turn)).toEqual(turn);
      });

      test("can't be written once it has ended", async () => {
        const turn = await beginFirst();
        const holder = turn.lease.holder;
        await complete(turn);
        const before = await store.findTurn(turn);
        expect(await store.saveStep(turn, holder, 0, step, T0 + 70)).toBe(false);
        expect(await store.renewLease(turn, holder, T0 + 99_000)).toBe(false);
        expect(await store.endTurn(turn, holder, { state: "failed", error: failure }, T0 + 70)).toBe(false);
        expect(await store.findTurn(turn)).toEqual(before);
      });
    });

    test("of turns that end at the same time one that has already ended stays as it is", async () => {
      const turns = await Promise.all(Array.from({ length: 6 }, () => beginFirst()));
      const ended = turns[3] as RunningTurn;
      await complete(ended);
      const outcome = { state: "failed" as const, error: failure };
      const results = await Promise.all(
        turns.map((turn) => store.endTurn(turn, turn.lease.holder, outcome, T0 + 70)),
      );
      expect(results).toEqual(turns.map((turn) => turn !== ended));
      expect(await store.findTurn(ended)).toMatchObject({ state: "completed", updatedAt: T0 + 60 });
    });

    describe("leases", () => {
      test("an expired one can be taken over once, and its former holder is out", async () => {
        const turn = await beginFirst();
        await store.saveStep(turn, turn.lease.holder, 0, step, T0 + 1);
        const lease = (holder: string) => ({ holder, expiresAt: T0 + 30_000 });
        expect(await store.takeOverTurn(turn, lease("b"), T0 + 9_999)).toBeUndefined();
        const taken = await Promise.all(
          Array.from({ length: 20 }, (_, index) => store.takeOverTurn(turn, lease(`h${index}`), T0 + 10_000)),
        );
        const winners = taken.filter((result) => result !== undefined);
        expect(winners).toHaveLength(1);
        expect(winners[0]).toMatchObject({ steps: [step], attempts: 2, state: "running" });
        expect(await store.endTurn(turn, turn.lease.holder, { state: "completed", reply }, T0)).toBe(false);
        const holder = winners[0]?.lease.holder ?? "";
        expect(await store.endTurn(turn, holder, { state: "completed", reply }, T0 + 60)).toBe(true);
      });

      test("a renewed one can't be taken over", async () => {
        const turn = await beginFirst();
        expect(await store.renewLease(turn, turn.lease.holder, T0 + 20_000)).toBe(true);
        const lease = { holder: "b", expiresAt: T0 + 40_000 };
        expect(await store.takeOverTurn(turn, lease, T0 + 10_000)).toBeUndefined();
        expect(await store.takeOverTurn(turn, lease, T0 + 20_000)).toMatchObject({ lease });
      });

      test("an ended turn can't be taken over", async () => {
        const turn = await beginFirst();
        await complete(turn);
        const lease = { holder: "b", expiresAt: T0 + 40_000 };
        expect(await store.takeOverTurn(turn, lease, T0 + 30_000)).toBeUndefined();
      });

      test("listExpiredTurns finds the running turns whose time is up", async () => {
        const late = await beginFirst({ lease: { holder: "a", expiresAt: T0 + 2 } });
        const early = await beginFirst({ lease: { holder: "a", expiresAt: T0 + 1 } });
        const ended = await beginFirst({ lease: { holder: "a", expiresAt: T0 + 1 } });
        await complete(ended);
        await beginFirst({ lease: { holder: "a", expiresAt: T0 + 3 } });
        const ref = ({ conversationId, seq }: RunningTurn) => ({ conversationId, seq });
        expect(await store.listExpiredTurns(T0 + 2, 10)).toEqual([ref(early), ref(late)]);
        expect(await store.listExpiredTurns(T0 + 2, 1)).toHaveLength(1);
      });
    });

    describe("reopenTurn", () => {
      const lease = { holder: "again", expiresAt: T0 + 50_000 };

      async function failed(): Promise<RunningTurn> {
        const turn = await beginFirst();
        await store.saveStep(turn, turn.lease.holder, 0, step, T0 + 1);
        await store.endTurn(turn, turn.lease.holder, { state: "failed", error: failure }, T0 + 5);
        return turn;
      }

      test("sets the last, failed turn running, once", async () => {
        const turn = await failed();
        const results = await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            store.reopenTurn(turn, T0 + 5, { ...lease, holder: `h${index}` }, T0 + 6),
          ),
        );
        const reopened = results.filter((result) => result !== undefined);
        expect(reopened).toHaveLength(1);
        const running = { ...turn, lease: expect.anything(), steps: [step], attempts: 1, updatedAt: T0 + 6 };
        expect(reopened[0]).toEqual(running);
        expect(await store.findTurn(turn)).toEqual(reopened[0]);
      });

      test("leaves a completed, a changed or an earlier turn alone", async () => {
        const turn = await failed();
        expect(await store.reopenTurn(turn, T0 + 4, lease, T0 + 6)).toBeUndefined();
        const second = await begin(newTurn(turn.conversationId));
        await complete(second);
        expect(await store.reopenTurn(turn, T0 + 5, lease, T0 + 6)).toBeUndefined();
        expect(await store.reopenTurn(second, T0 + 60, lease, T0 + 66)).toBeUndefined();
      });
    });

    describe("reading", () => {
      test("findTurnByKey finds a turn of that owner only", async () => {
        const turn = await beginFirst({ idempotencyKey: "k" });
        expect(await store.findTurnByKey("ann", "k")).toEqual(turn);
        expect(await store.findTurnByKey("bob", "k")).toBeUndefined();
        expect(await store.findTurnByKey("ann", "other")).toBeUndefined();
      });

      test("what is not there is undefined or empty", async () => {
        expect(await store.findTurn({ conversationId: ids.next(), seq: 1 })).toBeUndefined();
        expect(await store.findConversation("ann", ids.next())).toBeUndefined();
        expect(await store.listTurns(ids.next(), 1, 10)).toEqual([]);
        expect(await store.listConversations("nobody", 10)).toEqual([]);
      });

      test("another owner's conversation is not found", async () => {
        const turn = await beginFirst();
        expect(await store.findConversation("bob", turn.conversationId)).toBeUndefined();
      });

      test("listTurns gives the asked range in order", async () => {
        const first = await beginFirst();
        await complete(first);
        for (let count = 2; count <= 5; count++) await complete(await begin(newTurn(first.conversationId)));
        const turns = await store.listTurns(first.conversationId, 2, 4);
        expect(turns.map(({ seq }) => seq)).toEqual([2, 3, 4]);
        expect(turns.map(({ messageOffset }) => messageOffset)).toEqual([2, 4, 6]);
        expect(await store.listTurns(first.conversationId, 5, 99)).toHaveLength(1);
      });

      test("listConversations pages newest first, also within one millisecond and while rows are added", async () => {
        const times = [T0, T0 + 1, T0 + 1, T0 + 1, T0 + 2];
        for (const createdAt of times) {
          const conversation = newConversation({ createdAt });
          await begin(newTurn(conversation.id, { createdAt }), conversation);
        }
        const all = await store.listConversations("ann", 10);
        expect(all.map(({ createdAt }) => createdAt)).toEqual([...times].reverse());
        const firstPage = await store.listConversations("ann", 2);
        const newer = newConversation({ createdAt: T0 + 3 });
        await begin(newTurn(newer.id, { createdAt: T0 + 3 }), newer);
        const rest = await store.listConversations("ann", 10, firstPage[1]);
        expect([...firstPage, ...rest]).toEqual(all);
      });
    });

    test("setTitle makes a title final, once", async () => {
      const { conversationId } = await beginFirst();
      await store.setTitle({ conversationId, seq: 1 }, "Weather in Lisbon");
      await store.setTitle({ conversationId, seq: 1 }, "Too late");
      expect(await store.findConversation("ann", conversationId)).toMatchObject({
        title: "Weather in Lisbon",
        titleState: "final",
      });
    });

    test("ping resolves", async () => {
      await expect(store.ping()).resolves.toBeUndefined();
    });
  });
}
