import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { modelError } from "../../../../src/core/model/model-errors.ts";
import { takes } from "../../../support/answers.ts";
import { ChatWorld, session } from "../../../support/chat-world.ts";
import { settle } from "../../../support/fake-clock.ts";
import { calls, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { echoTool } from "../../../support/tools.ts";

let world: ChatWorld;
beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

const fifty = <T>(make: (index: number) => T) => Array.from({ length: 50 }, (_, index) => make(index));
const overloaded = modelError("model_overloaded");

describe("the same idempotency key", () => {
  test("fifty times at once makes one turn, one model call and fifty equal results", async () => {
    const model = new ScriptedModel(takes(world.clock, 500, says("once")));
    const server = world.process(model);
    const results = await world.until(Promise.all(fifty(() => server.start("Hi", { key: "k" }))));
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(results[0]).toMatchObject({ reply: "once", title: "A title" });
    expect(model.requests).toHaveLength(1);
    expect(model.titleRequests).toHaveLength(1);
    expect(await server.store.listConversations("ann", 9)).toMatchObject([{ turnCount: 1, messageCount: 2 }]);
  });

  test("fifty times at once over two processes makes the same", async () => {
    const model = new ScriptedModel(takes(world.clock, 500, says("once")));
    const servers = [world.process(model), world.process(model)];
    const results = await world.until(
      Promise.all(fifty((index) => servers[index % 2]?.start("Hi", { key: "k" }))),
    );
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(results[0]).toMatchObject({ reply: "once", title: "A title" });
    expect(model.requests).toHaveLength(1);
    expect(await servers[0]?.store.listConversations("ann", 9)).toMatchObject([{ turnCount: 1 }]);
  });

  test("fifty times at once in a conversation makes one turn", async () => {
    const model = new ScriptedModel(says("Hello"), takes(world.clock, 500, says("once")));
    const servers = [world.process(model), world.process(model)];
    const { conversationId } = (await servers[0]?.start("Hi")) ?? { conversationId: "" };
    const results = await world.until(
      Promise.all(fifty((index) => servers[index % 2]?.continue("More", { conversationId, key: "k" }))),
    );
    expect(new Set(results.map((result) => result?.reply))).toEqual(new Set(["once"]));
    expect(model.requests).toHaveLength(2);
  });

  test("later gives the stored result, also from another process and after a restart", async () => {
    const model = new ScriptedModel(says("once"));
    const first = await world.process(model).start("Hi", { key: "k" });
    await world.clock.advance(86_400_000);
    expect(await world.process(model).start("Hi", { key: "k" })).toEqual(first);
    expect(model.requests).toHaveLength(1);
  });

  test("of a session that has idled out meanwhile still finds its turn", async () => {
    const model = new ScriptedModel(says("once"));
    const server = world.process(model);
    const said = { key: "k", session: session() };
    const first = await server.continue("Hi", said);
    await world.clock.advance(86_400_000);
    expect(await server.continue("Hi", said)).toEqual(first);
  });

  test("of a session that is ended while the message waits makes one turn", async () => {
    const model = new ScriptedModel(takes(world.clock, 5_000, says("first")), says("once"));
    const [one, other] = [world.process(model), world.process(model)];
    const said = { session: session(), key: "k" };
    const first = one.continue("Hi", { session: session() });
    await settle();
    const waiting = one.continue("More", said);
    await settle();
    await other.chat.endSession(world.context(), { sessionMetadata: session(), idempotencyKey: "" });
    const again = await world.until(other.continue("More", said));
    expect(await world.until(waiting)).toEqual(again);
    const { conversationId } = await world.until(first);
    expect(await one.store.listTurns(conversationId, 1, 9)).toHaveLength(1);
  });

  test.each([
    ["message", "Bye", {}],
    ["session", "Hi", { session: session() }],
  ])("with another %s is refused, at once and later", async (_, message, other) => {
    const model = new ScriptedModel(takes(world.clock, 500, says("once")));
    const server = world.process(model);
    const refused = { code: "invalid_argument", retryable: false, meta: { argument: "idempotency_key" } };
    const first = server.start("Hi", { key: "k" });
    await expect(server.start(message, { key: "k", ...other })).rejects.toMatchObject(refused);
    const elsewhere = world.process(model);
    await expect(elsewhere.start(message, { key: "k", ...other })).rejects.toMatchObject(refused);
    await world.until(first);
    await expect(server.start(message, { key: "k", ...other })).rejects.toMatchObject(refused);
    expect(model.requests).toHaveLength(1);
  });

  test("with another method or conversation is refused", async () => {
    const model = new ScriptedModel(says("one"), says("two"));
    const server = world.process(model);
    const { conversationId } = await server.start("Hi", { key: "k" });
    const second = await server.start("Hi", { key: "l" });
    for (const said of [
      { conversationId, key: "k" },
      { session: session(), key: "k" },
    ]) {
      await expect(server.continue("Hi", said)).rejects.toMatchObject({ code: "invalid_argument" });
    }
    model.add(says("in a session"));
    await server.start("Hi", { session: session(), key: "s" });
    await expect(server.continue("Hi", { session: session(), key: "s" })).rejects.toMatchObject({
      code: "invalid_argument",
    });
    model.add(says("three"));
    await server.continue("Hi", { conversationId, key: "m" });
    await expect(
      server.continue("Hi", { conversationId: second.conversationId, key: "m" }),
    ).rejects.toMatchObject({ code: "invalid_argument" });
  });

  test("of another owner is another key", async () => {
    const model = new ScriptedModel(says("Ann's"), says("Bob's"));
    const server = world.process(model);
    const anns = await server.start("Hi", { key: "k" });
    const bobs = await server.start("Hi", { key: "k", owner: "bob" });
    expect(bobs.reply).toBe("Bob's");
    expect(bobs.conversationId).not.toBe(anns.conversationId);
  });
});

describe("the same key after a failure", () => {
  test("that may pass runs the same turn again", async () => {
    const model = new ScriptedModel(overloaded, says("better"));
    const server = world.process(model);
    await expect(server.start("Hi", { key: "k" })).rejects.toMatchObject({ code: "unavailable" });
    const result = await server.start("Hi", { key: "k" });
    expect(result.reply).toBe("better");
    expect(await server.store.listTurns(result.conversationId, 1, 9)).toMatchObject([
      { seq: 1, state: "completed", attempts: 1 },
    ]);
    expect(await server.store.listConversations("ann", 9)).toMatchObject([{ messageCount: 2 }]);
  });

  test("goes on from the steps that were written, but for an empty answer", async () => {
    const made: unknown[] = [];
    const tool = echoTool({}, async ({ text }) => made.push(text));
    const model = new ScriptedModel(calls({ arguments: '{"text":"a"}' }), says(""), says("better"));
    const server = world.process(model, { tools: [tool] });
    await expect(server.start("Hi", { key: "k" })).rejects.toMatchObject({
      meta: { reason: "model_empty" },
    });
    const { conversationId } = await server.start("Hi", { key: "k" });
    expect(made).toEqual(["a"]);
    const [turn] = await server.store.listTurns(conversationId, 1, 1);
    expect(turn?.steps.map(({ content }) => content)).toEqual(["", "better"]);
  });

  test("that will not pass gives the stored error again", async () => {
    const model = new ScriptedModel(modelError("model_rejected"), says("never asked for"));
    const server = world.process(model);
    const refused = { code: "failed_precondition", meta: { reason: "model_rejected" }, retryable: false };
    await expect(server.start("Hi", { key: "k" })).rejects.toMatchObject(refused);
    await expect(server.start("Hi", { key: "k" })).rejects.toMatchObject(refused);
    await expect(world.process(model).start("Hi", { key: "k" })).rejects.toMatchObject(refused);
    expect(model.requests).toHaveLength(1);
  });

  test("over two processes at once runs it once, and both get its result", async () => {
    const model = new ScriptedModel(overloaded, takes(world.clock, 300, says("better")));
    const [one, two] = [world.process(model), world.process(model)];
    await expect(one.start("Hi", { key: "k" })).rejects.toMatchObject({ code: "unavailable" });
    const both = Promise.all([one.start("Hi", { key: "k" }), two.start("Hi", { key: "k" })]);
    const [first, second] = await world.until(both);
    expect(first?.reply).toBe("better");
    expect(second).toEqual(first);
    expect(model.left).toBe(0);
  });

  test("is not run again once the conversation has gone on", async () => {
    const model = new ScriptedModel(says("Hi"), overloaded, says("next"));
    const server = world.process(model);
    const { conversationId } = await server.start("Hello");
    await expect(server.continue("First", { conversationId, key: "k" })).rejects.toThrow();
    await server.continue("Second", { conversationId });
    await expect(server.continue("First", { conversationId, key: "k" })).rejects.toMatchObject({
      code: "failed_precondition",
      retryable: false,
      meta: { reason: "superseded", conversation_id: conversationId },
    });
    expect(await server.store.listTurns(conversationId, 1, 9)).toHaveLength(3);
  });
});

describe("the first messages of a session", () => {
  test("fifty at once make one conversation, and fifty turns in order", async () => {
    const answers = fifty((index) => says(`reply ${index}`));
    const model = new ScriptedModel(...answers);
    const server = world.process(model);
    const results = await world.until(
      Promise.all(fifty((index) => server.continue(`message ${index}`, { session: session() }))),
    );
    expect(results.map(({ reply }) => reply)).toEqual(fifty((index) => `reply ${index}`));
    const conversations = await server.store.listConversations("ann", 9);
    expect(conversations).toMatchObject([{ turnCount: 50, messageCount: 100 }]);
    const stored = await server.store.listTurns(results[0]?.conversationId ?? "", 1, 99);
    expect(stored.map(({ user }) => user.content)).toEqual(fifty((index) => `message ${index}`));
    expect(model.titleRequests).toHaveLength(1);
  });

  test("over two processes make one conversation too", async () => {
    const model = new ScriptedModel(...fifty(() => says("ok")));
    const servers = [world.process(model), world.process(model)];
    const sent = fifty((index) => servers[index % 2]?.continue(`message ${index}`, { session: session() }));
    const results = await world.until(Promise.all(sent));
    expect(new Set(results.map((result) => result?.conversationId)).size).toBe(1);
    expect(await servers[0]?.store.listConversations("ann", 9)).toMatchObject([{ turnCount: 50 }]);
  });
});

test("requests without a key are never taken for one another", async () => {
  const model = new ScriptedModel(says("one"), says("two"));
  const server = world.process(model);
  const results = await Promise.all([server.start("Hi"), server.start("Hi")]);
  await settle();
  expect(new Set(results.map(({ conversationId }) => conversationId)).size).toBe(2);
});
