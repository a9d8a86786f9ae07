import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { modelError } from "../../../../src/core/model/model-errors.ts";
import { gate, takes } from "../../../support/answers.ts";
import { ChatWorld } from "../../../support/chat-world.ts";
import { settle } from "../../../support/fake-clock.ts";
import { fails } from "../../../support/faults.ts";
import { calls, hangs, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { echoTool } from "../../../support/tools.ts";

let world: ChatWorld;
beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

const STOPPING = { code: "unavailable", retryable: true, meta: { reason: "stopping", retry_after: "1" } };

describe("stop", () => {
  test("with nothing at work ends at once", async () => {
    const server = world.process(new ScriptedModel());
    await server.runner.stop(10_000);
    await settle();
    expect(world.clock.sleeping).toBe(0);
  });

  test("lets turns at work end within the grace, and takes no new ones", async () => {
    const model = new ScriptedModel(says("Hi"), takes(world.clock, 3_000, says("in time")));
    const server = world.process(model);
    const { conversationId } = await server.start("Hello");
    const atWork = server.continue("Hi", { conversationId });
    await settle();
    let stopped = false;
    const stopping = server.runner.stop(10_000).then(() => {
      stopped = true;
    });
    await expect(server.start("Too late")).rejects.toMatchObject(STOPPING);
    await expect(server.continue("Too late", { conversationId })).rejects.toMatchObject(STOPPING);
    expect(stopped).toBe(false);
    await world.clock.advance(2_999);
    expect(stopped).toBe(false);
    await world.clock.advance(1);
    expect((await atWork).reply).toBe("in time");
    await stopping;
    expect(await server.store.listConversations("ann", 9)).toMatchObject([{ turnCount: 2 }]);
  });

  test("does not wait for a title", async () => {
    const model = new ScriptedModel(says("Hi")).title(hangs);
    const server = world.process(model);
    const started = server.start("Hello");
    await settle();
    const stopping = server.runner.stop(0);
    await world.clock.advance(0);
    await stopping;
    expect(await started).toMatchObject({ reply: "Hi", title: "Hello" });
    expect(await server.store.listConversations("ann", 9)).toMatchObject([{ titleState: "pending" }]);
  });

  test("lets go of those that do not end, and another process goes on with them at once", async () => {
    const model = new ScriptedModel(calls({}), hangs);
    const tools = [echoTool()];
    const server = world.process(model, { tools });
    const failed = expect(server.start("Hi", { key: "k" })).rejects.toMatchObject(STOPPING);
    await settle();
    const stopping = server.runner.stop(10_000);
    await world.clock.advance(10_000);
    await failed;
    await stopping;
    const [listed] = await server.store.listConversations("ann", 1);
    const ref = { conversationId: listed?.id ?? "", seq: 1 };
    expect(await server.store.findTurn(ref)).toMatchObject({
      state: "running",
      lease: { expiresAt: world.clock.now() },
      steps: [{ toolCalls: [{ result: "{}" }] }],
    });

    const next = new ScriptedModel(says("gone on"));
    const result = await world.process(next, { tools }).start("Hi", { key: "k" });
    expect(result.reply).toBe("gone on");
    expect(next.requests[0]?.messages.at(-1)).toMatchObject({ role: "tool", content: "{}" });
  });

  test("of a turn in mid-tool does not take the tool's end for the turn's", async () => {
    const tool = echoTool({ timeoutMs: 60_000 }, () => new Promise(() => undefined));
    const server = world.process(new ScriptedModel(calls({})), { tools: [tool] });
    const failed = expect(server.start("Hi")).rejects.toMatchObject(STOPPING);
    await settle();
    const stopping = server.runner.stop(0);
    await world.clock.advance(0);
    await failed;
    await stopping;
    expect(await server.store.listExpiredTurns(world.clock.now(), 9)).toHaveLength(1);
  });

  test("sends away those that wait in line, and their messages are not stored", async () => {
    const model = new ScriptedModel(says("Hi"), takes(world.clock, 1_000, says("in time")));
    const server = world.process(model);
    const { conversationId } = await server.start("Hello");
    const atWork = server.continue("at work", { conversationId });
    const waiting = expect(server.continue("waiting", { conversationId })).rejects.toMatchObject(STOPPING);
    await settle();
    const stopping = server.runner.stop(10_000);
    await world.clock.advance(1_000);
    expect((await atWork).reply).toBe("in time");
    await waiting;
    await stopping;
    expect(await server.store.listTurns(conversationId, 1, 9)).toHaveLength(2);
  });

  test("sends away those that wait for another process's turn", async () => {
    const busy = new ScriptedModel(takes(world.clock, 40_000, says("slow")));
    const [one, two] = [world.process(busy), world.process(new ScriptedModel())];
    const first = one.start("Hi", { key: "k" });
    await settle();
    const failed = expect(two.start("Hi", { key: "k" })).rejects.toMatchObject(STOPPING);
    await settle();
    const stopping = two.runner.stop(1_000);
    await world.clock.advance(1_000);
    await failed;
    await stopping;
    expect((await world.until(first, 1_000)).reply).toBe("slow");
  });

  test("afterwards nothing is taken over", async () => {
    const model = new ScriptedModel(hangs);
    const server = world.process(model);
    const failed = expect(server.start("Hi", { key: "k" })).rejects.toMatchObject(STOPPING);
    await settle();
    await Promise.all([server.runner.stop(0), world.clock.advance(0)]);
    await failed;
    const [ref] = await server.store.listExpiredTurns(world.clock.now(), 9);
    if (!ref) throw new Error("The turn was not released");
    await expect(server.runner.takeOver(ref, world.log)).rejects.toMatchObject(STOPPING);
    await expect(server.start("Hi", { key: "k" })).rejects.toMatchObject(STOPPING);
    expect(await server.store.findTurn(ref)).toMatchObject({ state: "running", attempts: 1 });
    expect(model.requests).toHaveLength(1);
  });

  test("afterwards a completed turn still gives its reply, and a failed one its error", async () => {
    const model = new ScriptedModel(says("done"), modelError("model_overloaded"), says("never asked for"));
    const server = world.process(model);
    const done = await server.start("Hi", { key: "done" });
    const { conversationId } = done;
    const again = () => server.continue("Hm", { conversationId, key: "failed" });
    await expect(again()).rejects.toMatchObject({ meta: { reason: "model_overloaded" } });
    await server.runner.stop(0);
    expect(await server.start("Hi", { key: "done" })).toEqual(done);
    await expect(again()).rejects.toMatchObject({ meta: { reason: "model_overloaded" } });
    expect(await server.store.findTurn({ conversationId, seq: 2 })).toMatchObject({ state: "failed" });
  });

  test("while the lease can't be given back leaves the turn to its end", async () => {
    const server = world.process(new ScriptedModel(hangs));
    server.store.plan("renewLease", fails);
    const failed = expect(server.start("Hi")).rejects.toMatchObject({ message: "The store is down." });
    await settle();
    await Promise.all([server.runner.stop(0), world.clock.advance(0)]);
    await failed;
    expect(await server.store.listExpiredTurns(world.clock.now(), 9)).toEqual([]);
    expect(await server.store.listExpiredTurns(world.clock.now() + 30_000, 9)).toHaveLength(1);
  });

  test("waits for a reply that is being written down", async () => {
    const held = gate();
    const server = world.process(new ScriptedModel(says("Hi")));
    server.store.plan("endTurn", async (call) => {
      await held.opened;
      return call();
    });
    const starting = server.start("Hello");
    await settle();
    const stopping = server.runner.stop(0);
    await world.clock.advance(0);
    held.open();
    expect((await starting).reply).toBe("Hi");
    await stopping;
  });
});
