import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { takes } from "../../../support/answers.ts";
import { ChatWorld } from "../../../support/chat-world.ts";
import { ahead, settle } from "../../../support/fake-clock.ts";
import { fails } from "../../../support/faults.ts";
import {
  hangs,
  ignoresAborts,
  type ScriptedAnswer,
  ScriptedModel,
  says,
} from "../../../support/scripted-model.ts";

let world: ChatWorld;
beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

async function stored(store: ReturnType<ChatWorld["process"]>["store"]) {
  const [conversation] = await store.listConversations("ann", 1);
  return conversation;
}

describe("the title of a conversation", () => {
  test("is asked for beside the reply, so that the first turn takes as long as the slower of the two", async () => {
    const startedAt = world.clock.now();
    const model = new ScriptedModel(takes(world.clock, 3_000, says("Reply"))).title(
      takes(world.clock, 2_000, says("Named")),
    );
    const server = world.process(model);
    const result = await world.until(server.start("Hi"));
    expect(result).toMatchObject({ title: "Named", reply: "Reply" });
    expect(world.clock.now() - startedAt).toBe(3_000);
    expect(await stored(server.store)).toMatchObject({ title: "Named", titleState: "final" });
  });

  test("that is slower than the reply is waited for", async () => {
    const startedAt = world.clock.now();
    const model = new ScriptedModel(says("Reply")).title(takes(world.clock, 2_000, says("Named")));
    const result = await world.until(world.process(model).start("Hi"));
    expect(result).toMatchObject({ title: "Named", reply: "Reply" });
    expect(world.clock.now() - startedAt).toBe(2_000);
  });

  test.each<[string, ScriptedAnswer]>([
    ["fails", new Error("boom")],
    ["is blank", says(" ")],
    ["is only reasoning", says("<think>The user")],
    ["takes more than five seconds", hangs],
  ])("that %s is cut from the message, for good", async (_, answer) => {
    const startedAt = world.clock.now();
    const model = new ScriptedModel(says("Reply"), says("Next")).title(answer);
    const server = world.process(model);
    const result = await world.until(server.start("What is\nthe weather?"));
    expect(result).toMatchObject({ title: "What is the weather?", reply: "Reply" });
    expect(world.clock.now() - startedAt).toBeLessThanOrEqual(5_000);
    expect(await stored(server.store)).toMatchObject({ titleState: "final" });
    expect(world.log.at("warn")).toEqual(["The model gave no title; it is cut from the message"]);

    await server.continue("More", { conversationId: result.conversationId });
    expect(model.titleRequests).toHaveLength(1);
  });

  test("of a model that does not listen to aborts is waited for five seconds all the same", async () => {
    const startedAt = world.clock.now();
    const model = new ScriptedModel(says("Reply")).title(ignoresAborts);
    expect(await world.until(world.process(model).start("Hi"))).toMatchObject({
      title: "Hi",
      reply: "Reply",
    });
    expect(world.clock.now() - startedAt).toBe(5_000);
  });

  test("that can't be stored does not delay the reply", async () => {
    const startedAt = world.clock.now();
    const server = world.process(new ScriptedModel(says("Reply")));
    server.store.plan("setTitle", fails);
    await world.until(server.start("Hi"));
    expect(world.clock.now()).toBe(startedAt);
  });

  test("that can't be stored fails nothing, and is asked for again in the next turn", async () => {
    const model = new ScriptedModel(says("Reply"), says("Next"));
    const server = world.process(model);
    server.store.plan("setTitle", fails);
    const result = await world.until(server.start("Hello"));
    expect(result).toMatchObject({ title: "Hello", reply: "Reply" });
    expect(world.log.at("warn")).toEqual(["A title could not be stored"]);
    const { conversationId } = result;
    expect((await server.continue("More", { conversationId })).title).toBe("A title");
  });

  test("is left to the next turn when the first one fails, and its model call ends", async () => {
    const signals: AbortSignal[] = [];
    const model = new ScriptedModel(new Error("boom"), says("Reply")).title(
      async function* (request, signal) {
        signals.push(signal);
        yield* hangs(request, signal);
      },
    );
    const server = world.process(model);
    await expect(server.start("First")).rejects.toMatchObject({ code: "internal" });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    const conversation = await stored(server.store);
    expect(conversation).toMatchObject({ title: "First", titleState: "pending" });
    model.title(says("Named"));
    const next = await server.continue("Second", { conversationId: conversation?.id ?? "" });
    expect(next.title).toBe("Named");
    expect(model.titleRequests[1]?.messages.at(-1)).toMatchObject({ content: "Second" });
  });

  test("is given once: later turns do not ask for it", async () => {
    const model = new ScriptedModel(says("One"), says("Two"));
    const server = world.process(model);
    const { conversationId } = await server.start("Hi");
    expect((await server.continue("More", { conversationId })).title).toBe("A title");
    expect(model.titleRequests).toHaveLength(1);
  });

  test("that another process is still naming is waited for", async () => {
    const model = new ScriptedModel(says("Reply")).title(takes(world.clock, 3_000, says("Named")));
    const [one, two] = [world.process(model), world.process(model)];
    const first = one.start("Hi", { key: "k" });
    await settle();
    const second = two.start("Hi", { key: "k" });
    expect(await world.until(second)).toMatchObject({ title: "Named" });
    expect(await first).toEqual(await second);
  });

  test("that another process never names is not waited for longer than it may take", async () => {
    const model = new ScriptedModel(says("Reply"));
    const one = world.process(model);
    one.store.plan("setTitle", fails);
    const first = one.start("Hi", { key: "k" });
    await settle();
    const second = await world.until(world.process(model).start("Hi", { key: "k" }));
    expect(second).toMatchObject({ title: "Hi", reply: "Reply" });
    expect(await first).toEqual(second);
  });

  test("that a process whose clock is ahead never named is not waited for either", async () => {
    const model = new ScriptedModel(says("Reply"));
    const one = world.process(model, { clock: ahead(world.clock, 3_600_000) });
    one.store.plan("setTitle", fails);
    const first = await one.start("Hi", { key: "k" });
    const begin = world.clock.now();
    expect(await world.until(world.process(model).start("Hi", { key: "k" }))).toEqual(first);
    expect(world.clock.now() - begin).toBeLessThan(10_000);
  });
});
