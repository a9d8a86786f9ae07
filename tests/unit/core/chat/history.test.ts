import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Step } from "../../../../src/core/assistant/step.ts";
import { estimateTokens, History } from "../../../../src/core/chat/history.ts";
import type { TurnRef } from "../../../../src/core/chat/turn.ts";
import type { ModelMessage } from "../../../../src/core/model/language-model.ts";
import { SqliteConversationStore } from "../../../../src/stores/sqlite/conversation-store.ts";
import { toolStep } from "../../../support/assistant-run.ts";
import { ChatWorld } from "../../../support/chat-world.ts";
import { type FaultyStore, faultyStore } from "../../../support/faults.ts";
import { beginStored, endStored, saveSteps } from "../../../support/stored-turns.ts";

let world: ChatWorld;
let store: FaultyStore;
beforeEach(async () => {
  world = await ChatWorld.open();
  store = faultyStore(new SqliteConversationStore(world.database()));
});
afterEach(() => world.close());

interface Said {
  readonly question: string;
  readonly steps?: readonly Step[];
  /** Absent: the turn failed. */
  readonly answer?: string;
}

const wordStep = (content: string): Step => ({ ...toolStep(), content, finishReason: "stop" });

/** A conversation of these turns; gives the address of the turn that would come next. */
async function conversation(...said: Said[]) {
  const conversationId = world.ids.next();
  for (const { question, steps = [], answer } of said) {
    const turn = await beginStored(world, store, { conversationId, content: question });
    await saveSteps(store, turn, answer === undefined ? steps : [...steps, wordStep(answer)]);
    await endStored(world, store, turn, answer);
  }
  return { conversationId, seq: said.length + 1 };
}

const contents = (messages: readonly ModelMessage[]) => messages.map(({ content }) => content);

describe("the history", () => {
  test("of a first turn is empty", async () => {
    expect(await new History(store, 1_000).before({ conversationId: world.ids.next(), seq: 1 })).toEqual([]);
  });

  test("is what was said before, oldest first, with the tools' results", async () => {
    const ref = await conversation(
      { question: "q1", answer: "a1" },
      { question: "q2", steps: [toolStep({ result: '"r"' }, { error: "no" })], answer: "a2" },
    );
    expect(await new History(store, 1_000).before(ref)).toEqual([
      { role: "user", content: "q1" },
      { role: "assistant", content: "a1", toolCalls: [] },
      { role: "user", content: "q2" },
      {
        role: "assistant",
        content: "",
        toolCalls: [
          { id: "call-0", name: "echo", arguments: "{}" },
          { id: "call-1", name: "echo", arguments: "{}" },
        ],
      },
      { role: "tool", toolCallId: "call-0", toolName: "echo", content: '"r"', isError: false },
      { role: "tool", toolCallId: "call-1", toolName: "echo", content: "no", isError: true },
      { role: "assistant", content: "a2", toolCalls: [] },
    ]);
  });

  test("has only turns before the given one", async () => {
    const { conversationId } = await conversation(
      { question: "q1", answer: "a1" },
      { question: "q2", answer: "a2" },
    );
    expect(contents(await new History(store, 1_000).before({ conversationId, seq: 2 }))).toEqual([
      "q1",
      "a1",
    ]);
  });

  test("has of a failed turn its user message and nothing half-done", async () => {
    const ref = await conversation(
      { question: "q1", steps: [toolStep({ result: "1" }, {})] },
      { question: "q2", answer: "a2" },
    );
    expect(contents(await new History(store, 1_000).before(ref))).toEqual(["q1", "q2", "a2"]);
  });

  test("has whole turns only: a turn that does not fit leaves out all before it too", async () => {
    const ref = await conversation(
      { question: "tiny" },
      { question: "x".repeat(400), answer: "y" },
      { question: "q3", answer: "a3" },
    );
    const newest = 2 * estimateTokens({ role: "user", content: "q3" });
    expect(contents(await new History(store, newest).before(ref))).toEqual(["q3", "a3"]);
    expect(await new History(store, newest - 1).before(ref)).toEqual([]);
    expect(contents(await new History(store, newest + 20).before(ref))).toEqual(["q3", "a3"]);
  });

  test("goes back over more turns than are read at once, and reads no more than it needs", async () => {
    const said = Array.from({ length: 70 }, (_, index) => ({ question: `q${index}`, answer: `a${index}` }));
    const ref = await conversation(...said);
    expect(contents(await new History(store, 100_000).before(ref))).toEqual(
      said.flatMap(({ question, answer }) => [question, answer]),
    );
    expect(store.count("listTurns")).toBe(3);
    expect(contents(await new History(store, 40 * 10).before(ref))).toEqual(
      said.slice(-40).flatMap(({ question, answer }) => [question, answer]),
    );
    expect(store.count("listTurns")).toBe(5);
  });

  test("never exceeds its budget, and is always the newest turns, whole", async () => {
    const text = fc.string({ unit: fc.constantFrom("a", "é", "🌦", " "), maxLength: 60 });
    const turn = fc.record({
      question: text,
      answer: fc.option(text, { nil: undefined }),
      steps: fc.array(
        text.map((result) => toolStep({ result, arguments: `"${result}"` })),
        { maxLength: 2 },
      ),
    });
    const check = fc.asyncProperty(
      fc.array(turn, { minLength: 1, maxLength: 8 }),
      fc.nat(300),
      async (said, budget) => {
        const ref = await conversation(...said);
        const all = await new History(store, Number.MAX_SAFE_INTEGER).before(ref);
        const history = await new History(store, budget).before(ref);
        const tokens = history.reduce((sum, message) => sum + estimateTokens(message), 0);
        expect(tokens).toBeLessThanOrEqual(budget);
        expect(history).toEqual(history.length === 0 ? [] : all.slice(-history.length));
        expect(history[0]?.role ?? "user").toBe("user");
        const left = all.slice(0, all.length - history.length);
        const before = left.slice(left.findLastIndex(({ role }) => role === "user"));
        const next = before.reduce((sum, message) => sum + estimateTokens(message), 0);
        if (left.length > 0) expect(tokens + next).toBeGreaterThan(budget);
      },
    );
    await fc.assert(check, { numRuns: 40 });
  });
});

describe("conversations that are kept in memory", () => {
  /** The next turn of a conversation, run by whoever has this history; false: it fails. */
  async function run(history: History, conversationId: string, answer: string | false) {
    const turn = await beginStored(world, store, { conversationId, content: `to ${answer}` });
    const before = await history.before(turn);
    expect(before).toEqual(await new History(store, 60).before(turn));
    const steps = [toolStep({ result: "1" }), wordStep(String(answer))];
    await saveSteps(store, turn, steps);
    await endStored(world, store, turn, answer === false ? undefined : answer);
    if (answer !== false) history.add(turn, steps);
  }

  test("are not read again", async () => {
    const history = new History(store, 1_000);
    const conversationId = world.ids.next();
    const turn = await beginStored(world, store, { conversationId, content: "q1" });
    await history.before(turn);
    const steps = [wordStep("a1")];
    await saveSteps(store, turn, steps);
    await endStored(world, store, turn, "a1");
    history.add(turn, steps);
    const reads = store.count("listTurns");
    expect(contents(await history.before({ conversationId, seq: 2 }))).toEqual(["q1", "a1"]);
    expect(store.count("listTurns")).toBe(reads);
  });

  test("are as they are stored, whichever process ran their turns, and how often", async () => {
    const turn = fc.record({
      process: fc.nat(1),
      answer: fc.oneof(fc.constant(false as const), fc.string()),
    });
    const check = fc.asyncProperty(fc.array(turn, { maxLength: 12 }), async (turns) => {
      const histories = [new History(store, 60), new History(store, 60)] as const;
      const conversationId = world.ids.next();
      for (const { process, answer } of turns) {
        await run(histories[process as 0 | 1], conversationId, answer);
      }
    });
    await fc.assert(check, { numRuns: 40 });
  });

  test("take up their room once, however many read them at the same time", async () => {
    const ref = await conversation({ question: "one", answer: "a" });
    const history = new History(store, 1_000, 5_000);
    await Promise.all(Array.from({ length: 9 }, () => history.before(ref)));
    const reads = store.count("listTurns");
    await history.before(ref);
    expect(store.count("listTurns")).toBe(reads);
  });

  test("make room for others when there are too many, those used longest ago first", async () => {
    const refs: TurnRef[] = [];
    for (const name of ["one", "two", "three"])
      refs.push(await conversation({ question: name, answer: "a" }));
    const history = new History(store, 1_000, 5_000);
    const readsFor = async (index: number) => {
      const before = store.count("listTurns");
      await history.before(refs[index] ?? { conversationId: "", seq: 0 });
      return store.count("listTurns") - before;
    };
    expect(await readsFor(0)).toBe(1);
    expect(await readsFor(1)).toBe(1);
    expect(await readsFor(0)).toBe(0);
    expect(await readsFor(2)).toBe(1);
    expect(await readsFor(0)).toBe(0);
    expect(await readsFor(1)).toBe(1);
  });
});

describe("estimateTokens", () => {
  test.each<[ModelMessage, number]>([
    [{ role: "user", content: "" }, 4],
    [{ role: "user", content: "four" }, 5],
    [{ role: "user", content: "fives" }, 6],
    [{ role: "user", content: "🌦🌦" }, 6],
    [{ role: "tool", toolCallId: "a", toolName: "t", content: "12345678", isError: false }, 6],
    [{ role: "assistant", content: "abcd", toolCalls: [{ id: "a", name: "echo", arguments: '{"x":1}' }] }, 8],
  ])("of %j is %p", (message, tokens) => {
    expect(estimateTokens(message)).toBe(tokens);
  });
});
