import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Turn } from "../../../../src/core/chat/turn.ts";
import { modelError } from "../../../../src/core/model/model-errors.ts";
import { gate, takes } from "../../../support/answers.ts";
import { ChatWorld, type ServerProcess } from "../../../support/chat-world.ts";
import { settle } from "../../../support/fake-clock.ts";
import { fails, waitsFor } from "../../../support/faults.ts";
import { calls, hangs, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { echoTool } from "../../../support/tools.ts";

let world: ChatWorld;
beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

async function turns(server: ServerProcess, conversationId: string): Promise<Turn[]> {
  return server.store.listTurns(conversationId, 1, 1_000);
}

describe("a turn", () => {
  test("is answered, and stored as it was answered", async () => {
    const model = new ScriptedModel(calls({ arguments: '{"text":"ping"}' }), says("pong"));
    const server = world.process(model, { tools: [echoTool()] });
    const result = await server.start("Say ping");
    expect(result).toEqual({ conversationId: expect.any(String), title: "A title", reply: "pong" });
    const [turn] = await turns(server, result.conversationId);
    expect(turn).toMatchObject({
      seq: 1,
      state: "completed",
      user: { content: "Say ping", createdAt: world.clock.now() },
      reply: { content: "pong", createdAt: world.clock.now() },
      steps: [{ toolCalls: [{ result: '{"text":"ping"}' }] }, { content: "pong" }],
      attempts: 1,
    });
    expect(world.log.at("warn")).toEqual([]);
  });

  test("asks the model with who it is, the user's date and what was said before", async () => {
    const model = new ScriptedModel(calls({}), says("One"), says("Two"));
    const server = world.process(model, { tools: [echoTool()] });
    const { conversationId } = await server.start("First");
    await server.continue("Second", { conversationId });
    const [system, ...rest] = model.requests[2]?.messages ?? [];
    expect(system).toMatchObject({
      role: "system",
      content: expect.stringContaining("2026-11-21 (Saturday)\nTime zone: Europe/Madrid"),
    });
    expect(rest.map(({ role, content }) => [role, content])).toEqual([
      ["user", "First"],
      ["assistant", ""],
      ["tool", "{}"],
      ["assistant", "One"],
      ["user", "Second"],
    ]);
  });

  test("is written down step by step, each before the next model call", async () => {
    const written: number[] = [];
    const look = async function* (_: unknown, __: AbortSignal) {
      const [listed] = await server.store.listConversations("ann", 1);
      const [turn] = await turns(server, listed?.id ?? "");
      written.push(turn?.steps.filter((step) => step.toolCalls.every((call) => call.result)).length ?? -1);
      yield* written.length < 3 ? calls({}) : says("ok");
    };
    const server = world.process(new ScriptedModel(look, look, look), { tools: [echoTool()] });
    await server.start("Go");
    expect(written).toEqual([0, 1, 2]);
  });

  test("is written as pending before it changes something in the world", async () => {
    const seen: unknown[] = [];
    const send = echoTool({ readOnly: false }, async () => {
      const [listed] = await server.store.listConversations("ann", 1);
      seen.push((await turns(server, listed?.id ?? ""))[0]?.steps);
    });
    const server = world.process(new ScriptedModel(calls({}), says("ok")), { tools: [send] });
    await server.start("Send it");
    expect(seen).toMatchObject([[{ toolCalls: [{ id: "call-0", name: "echo" }] }]]);
    expect(JSON.stringify(seen)).not.toContain('"result"');
  });
});

describe("a turn that fails", () => {
  test("stores its error, and the next one has its message in history and nothing half-done", async () => {
    const failure = modelError("model_overloaded");
    const model = new ScriptedModel(calls({ arguments: '{"text":"half-done"}' }), failure, says("Fine now"));
    const server = world.process(model, { tools: [echoTool()] });
    await expect(server.start("First")).rejects.toMatchObject({ code: "unavailable", meta: failure.meta });

    const [listed] = await server.store.listConversations("ann", 1);
    const conversationId = listed?.id ?? "";
    expect(await turns(server, conversationId)).toMatchObject([
      {
        state: "failed",
        error: { code: "unavailable", message: failure.publicMessage, retryable: true, meta: failure.meta },
        steps: [{ finishReason: "tool_calls" }],
      },
    ]);
    expect((await server.continue("Second", { conversationId })).reply).toBe("Fine now");
    expect(model.requests[2]?.messages.slice(1)).toEqual([
      { role: "user", content: "First" },
      { role: "user", content: "Second" },
    ]);
    expect(world.log.at("warn")).toEqual(["A turn failed"]);
  });

  test("by a bug is `internal`, and its text stays in the log", async () => {
    const server = world.process(new ScriptedModel(new Error("password is hunter2")));
    const error = await server.start("Hi").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "internal", retryable: false });
    const [listed] = await server.store.listConversations("ann", 1);
    expect(JSON.stringify([error, await turns(server, listed?.id ?? "")])).not.toContain("hunter2");
    expect(world.log.lines[0]?.fields.err).toMatchObject({ cause: { message: "password is hunter2" } });
  });

  test("by its deadline is `deadline_exceeded`, and takes the model's call with it", async () => {
    const signals: AbortSignal[] = [];
    const model = new ScriptedModel(async function* (request, signal) {
      signals.push(signal);
      yield* hangs(request, signal);
    });
    const server = world.process(model, { settings: { timeoutMs: 5_000 } });
    const failed = expect(server.start("Hi")).rejects.toMatchObject({
      code: "deadline_exceeded",
      message: expect.stringContaining("5 seconds"),
    });
    await world.clock.advance(4_999);
    expect(signals[0]?.aborted).toBe(false);
    await world.clock.advance(1);
    await failed;
    expect(signals[0]?.aborted).toBe(true);
    const [listed] = await server.store.listConversations("ann", 1);
    expect(await turns(server, listed?.id ?? "")).toMatchObject([
      { state: "failed", error: { code: "deadline_exceeded", retryable: true } },
    ]);
  });

  test("by its deadline in a tool that ignores its signal ends in time too", async () => {
    const tool = echoTool({ timeoutMs: 60_000 }, () => new Promise(() => undefined));
    const model = new ScriptedModel(calls({}));
    const server = world.process(model, { tools: [tool], settings: { timeoutMs: 5_000 } });
    const failed = expect(server.start("Hi")).rejects.toMatchObject({ code: "deadline_exceeded" });
    await world.clock.advance(5_000);
    await failed;
  });

  test("leaves no timer behind", async () => {
    const server = world.process(new ScriptedModel(new Error("x"), says("ok")));
    await expect(server.start("Hi")).rejects.toThrow();
    await server.start("Hi");
    await settle();
    expect(world.clock.sleeping).toBe(0);
  });
});

describe("the messages of one conversation", () => {
  test("are answered one at a time, in the order they came", async () => {
    let atWork = 0;
    let most = 0;
    const answer: ConstructorParameters<typeof ScriptedModel>[0] = async function* (request, signal) {
      most = Math.max(most, ++atWork);
      await world.clock.sleep(100, signal);
      yield* says(`re: ${request.messages.at(-1)?.content}`);
      atWork--;
    };
    const model = new ScriptedModel(says("Hi"), ...Array.from({ length: 5 }, () => answer));
    const server = world.process(model);
    const { conversationId } = await server.start("Hello");
    const results = await world.until(
      Promise.all([1, 2, 3, 4, 5].map((count) => server.continue(`m${count}`, { conversationId }))),
    );
    expect(results.map(({ reply }) => reply)).toEqual([1, 2, 3, 4, 5].map((count) => `re: m${count}`));
    const stored = await turns(server, conversationId);
    expect(stored.slice(1).map(({ user }) => user.content)).toEqual(["m1", "m2", "m3", "m4", "m5"]);
    expect(most).toBe(1);
  });

  test("do not hold up another conversation", async () => {
    const held = gate();
    const model = new ScriptedModel(async function* () {
      await held.opened;
      yield* says("slow");
    }, says("quick"));
    const server = world.process(model);
    const slow = server.start("One");
    await settle();
    expect((await server.start("Two")).reply).toBe("quick");
    held.open();
    expect((await slow).reply).toBe("slow");
  });

  test("one that waits too long is aborted, and leaves nothing", async () => {
    const model = new ScriptedModel(says("Hi"), takes(world.clock, 100_000, says("late")), says("after"));
    const server = world.process(model, { settings: { waitMs: 10_000 } });
    const { conversationId } = await server.start("Hello");
    const slow = server.continue("slow", { conversationId });
    await settle();
    const failed = expect(server.continue("impatient", { conversationId })).rejects.toMatchObject({
      code: "aborted",
      retryable: true,
    });
    await world.clock.advance(9_999);
    const patient = server.continue("patient", { conversationId });
    patient.catch(() => undefined);
    await world.clock.advance(1);
    await failed;
    await expect(world.until(patient)).rejects.toMatchObject({ code: "aborted" });
    expect((await world.until(slow, 1_000)).reply).toBe("late");
    expect((await turns(server, conversationId)).map(({ user }) => user.content)).toEqual(["Hello", "slow"]);
    expect((await server.continue("again", { conversationId })).reply).toBe("after");
  });

  test("the hundred-and-first that waits is refused at once", async () => {
    const answers = Array.from({ length: 101 }, () => says("ok"));
    const model = new ScriptedModel(says("Hi"), takes(world.clock, 100, says("first")), ...answers);
    const server = world.process(model);
    const { conversationId } = await server.start("Hello");
    const all = Array.from({ length: 101 }, (_, index) => server.continue(`m${index}`, { conversationId }));
    await settle();
    await expect(server.continue("one too many", { conversationId })).rejects.toMatchObject({
      code: "resource_exhausted",
    });
    const results = await world.until(Promise.all(all));
    expect(results).toHaveLength(101);
    expect((await server.continue("room again", { conversationId })).reply).toBe("ok");
  });

  test("wait for a turn that another process runs", async () => {
    const [busy, other] = [new ScriptedModel(says("Hi")), new ScriptedModel(says("then me"))];
    busy.add(takes(world.clock, 1_000, says("first me")));
    const [one, two] = [world.process(busy), world.process(other)];
    const { conversationId } = await one.start("Hello");
    const first = one.continue("first", { conversationId });
    await settle();
    const second = two.continue("second", { conversationId });
    await world.clock.advance(900);
    expect(other.requests).toHaveLength(0);
    expect((await world.until(second)).reply).toBe("then me");
    expect((await first).reply).toBe("first me");
    expect(other.requests[0]?.messages.map(({ content }) => content)).toContain("first me");
  });

  test("give up on another process's turn after the same time", async () => {
    const busy = new ScriptedModel(says("Hi"), takes(world.clock, 50_000, says("slow")));
    const one = world.process(busy);
    const two = world.process(new ScriptedModel(), { settings: { waitMs: 10_000 } });
    const { conversationId } = await one.start("Hello");
    const slow = one.continue("first", { conversationId });
    await settle();
    const failed = expect(two.continue("second", { conversationId })).rejects.toMatchObject({
      code: "aborted",
    });
    await world.clock.advance(10_000);
    await failed;
    expect((await world.until(slow, 1_000)).reply).toBe("slow");
    expect(await turns(two, conversationId)).toHaveLength(2);
  });

  test("of another owner are not found, also while the conversation is busy", async () => {
    const model = new ScriptedModel(says("Hi"), takes(world.clock, 1_000, says("mine")));
    const server = world.process(model);
    const { conversationId } = await server.start("Hello");
    const mine = server.continue("mine", { conversationId });
    await settle();
    let settled = false;
    const foreign = server
      .continue("let me in", { conversationId, owner: "bob" })
      .catch((error: unknown) => error);
    foreign.then(() => {
      settled = true;
    });
    await settle();
    expect(settled).toBe(true);
    expect(await foreign).toMatchObject({ code: "not_found" });
    await world.until(mine);
  });
});

describe("a store that is slow or down", () => {
  test("a reply is given only once it is written", async () => {
    const held = gate();
    const server = world.process(new ScriptedModel(says("Hi")));
    server.store.plan("endTurn", waitsFor(held.opened));
    let answered = false;
    const starting = server.start("Hello").then((result) => {
      answered = true;
      return result;
    });
    await world.clock.advance(1_000);
    expect(answered).toBe(false);
    held.open();
    expect((await starting).reply).toBe("Hi");
  });

  test("a turn that can't be begun asks nobody", async () => {
    const model = new ScriptedModel(says("Hi"));
    const server = world.process(model);
    server.store.plan("beginTurn", fails);
    await expect(server.start("Hello")).rejects.toMatchObject({ code: "unavailable" });
    expect(model.requests).toHaveLength(0);
    expect(await server.store.listConversations("ann", 1)).toEqual([]);
  });
});
