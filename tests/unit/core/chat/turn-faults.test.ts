import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Turn } from "../../../../src/core/chat/turn.ts";
import { ChatWorld, type ServerProcess } from "../../../support/chat-world.ts";
import { type Fault, fails, losesAnswer } from "../../../support/faults.ts";
import { calls, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { echoTool } from "../../../support/tools.ts";

let world: ChatWorld;
beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

const DOWN = { code: "unavailable", retryable: true };

async function allTurns({ store }: ServerProcess): Promise<Turn[]> {
  const conversations = await store.listConversations("ann", 99);
  const turns = await Promise.all(conversations.map(({ id }) => store.listTurns(id, 1, 99)));
  return turns.flat();
}

/** A process whose model makes one call of a tool that changes something, and then answers. */
function sender() {
  let sent = 0;
  const model = new ScriptedModel(calls({}), says("sent"));
  const server = world.process(model, { tools: [echoTool({ readOnly: false }, async () => ++sent)] });
  return { model, server, sent: () => sent };
}

describe("beginTurn", () => {
  test("that fails stores nothing; sent again, the message makes its one turn", async () => {
    const model = new ScriptedModel(says("Hi"));
    const server = world.process(model);
    server.store.plan("beginTurn", fails);
    await expect(server.start("Hello", { key: "k" })).rejects.toMatchObject(DOWN);
    expect(await allTurns(server)).toEqual([]);
    expect((await server.start("Hello", { key: "k" })).reply).toBe("Hi");
    expect(await allTurns(server)).toHaveLength(1);
  });

  test("whose answer is lost leaves one turn, which is run when its lease ends", async () => {
    const model = new ScriptedModel(says("Hi"));
    const server = world.process(model);
    server.store.plan("beginTurn", losesAnswer);
    await expect(server.start("Hello", { key: "k" })).rejects.toMatchObject(DOWN);
    expect(model.requests).toHaveLength(0);
    expect((await world.until(server.start("Hello", { key: "k" }))).reply).toBe("Hi");
    expect(await allTurns(server)).toMatchObject([{ state: "completed", attempts: 2 }]);
  });
});

describe("saveStep", () => {
  test.each<[string, Fault, number]>([
    ["fails", fails, 0],
    ["has its answer lost", losesAnswer, 0],
  ])("that %s before a side effect: it is not made, and never twice", async (_, fault, sentAfter) => {
    const { model, server, sent } = sender();
    server.store.plan("saveStep", fault);
    await expect(server.start("Send it", { key: "k" })).rejects.toMatchObject(DOWN);
    expect(sent()).toBe(sentAfter);
    if (fault === fails) model.add(says("sent now"));
    const result = await server.start("Send it", { key: "k" });
    expect(sent()).toBeLessThanOrEqual(1);
    expect(await allTurns(server)).toMatchObject([{ state: "completed", reply: { content: result.reply } }]);
  });

  test.each<[string, Fault]>([
    ["fails", fails],
    ["has its answer lost", losesAnswer],
  ])("that %s after a side effect: it is not made again", async (_, fault) => {
    const { server, sent } = sender();
    server.store.plan("saveStep", undefined, fault);
    await expect(server.start("Send it", { key: "k" })).rejects.toMatchObject(DOWN);
    expect(sent()).toBe(1);
    expect((await server.start("Send it", { key: "k" })).reply).toBe("sent");
    expect(sent()).toBe(1);
    expect(await allTurns(server)).toHaveLength(1);
  });
});

describe("endTurn", () => {
  test("that fails once ends the turn as failed: no reply is told that is not stored", async () => {
    const model = new ScriptedModel(says("Hi"));
    const server = world.process(model);
    server.store.plan("endTurn", fails);
    await expect(server.start("Hello", { key: "k" })).rejects.toMatchObject(DOWN);
    expect(await allTurns(server)).toMatchObject([{ state: "failed" }]);
    expect((await server.start("Hello", { key: "k" })).reply).toBe("Hi");
    expect(model.requests).toHaveLength(1);
    expect(await allTurns(server)).toMatchObject([{ state: "completed", reply: { content: "Hi" } }]);
  });

  test("that fails twice leaves the turn to its lease, and to who takes it over", async () => {
    const model = new ScriptedModel(says("Hi"), says("Hi again"));
    const server = world.process(model);
    server.store.plan("endTurn", fails, fails);
    await expect(server.start("Hello", { key: "k" })).rejects.toMatchObject(DOWN);
    expect(await allTurns(server)).toMatchObject([{ state: "running", steps: [] }]);
    expect((await world.until(server.start("Hello", { key: "k" }))).reply).toBe("Hi again");
    expect(await allTurns(server)).toMatchObject([{ state: "completed", steps: [{ content: "Hi again" }] }]);
  });

  test("whose answer is lost has ended the turn, and its reply is given", async () => {
    const model = new ScriptedModel(says("Hi"));
    const server = world.process(model);
    server.store.plan("endTurn", losesAnswer);
    const result = await world.until(server.start("Hello", { key: "k" }));
    expect(result.reply).toBe("Hi");
    expect(await allTurns(server)).toMatchObject([{ state: "completed", reply: { content: "Hi" } }]);
    expect(await server.start("Hello", { key: "k" })).toEqual(result);
  });

  test("whose answer is lost and can't be asked for fails the request, not the turn", async () => {
    const server = world.process(new ScriptedModel(says("Hi")));
    server.store.plan("endTurn", losesAnswer, fails);
    await expect(server.start("Hello", { key: "k" })).rejects.toMatchObject(DOWN);
    expect((await server.start("Hello", { key: "k" })).reply).toBe("Hi");
    expect(await allTurns(server)).toHaveLength(1);
  });
});

describe("reading", () => {
  test("of the history that fails ends the turn as failed", async () => {
    const { conversationId } = await world.process(new ScriptedModel(says("Hi"))).start("Hello");
    const server = world.process(new ScriptedModel(says("Again")));
    server.store.plan("listTurns", fails);
    await expect(server.continue("More", { conversationId, key: "k" })).rejects.toMatchObject(DOWN);
    expect((await server.continue("More", { conversationId, key: "k" })).reply).toBe("Again");
  });

  test("of a turn that has vanished fails, instead of waiting for ever", async () => {
    const server = world.process(new ScriptedModel(says("Hi")));
    server.store.plan("endTurn", losesAnswer);
    server.store.plan("findTurn", async () => undefined);
    await expect(world.until(server.start("Hello"))).rejects.toThrow("vanished");
  });

  test("of a conversation that has vanished fails too", async () => {
    const server = world.process(new ScriptedModel(says("Hi")));
    await server.start("Hello", { key: "k" });
    server.store.plan("findConversation", async () => undefined);
    await expect(server.start("Hello", { key: "k" })).rejects.toThrow("vanished");
  });

  test("of the conversation that fails does not keep a stored reply from its caller", async () => {
    const server = world.process(new ScriptedModel(says("Hi")));
    server.store.plan("findConversation", fails, fails);
    expect(await server.start("Hello")).toMatchObject({ reply: "Hi", title: "A title" });
  });
});

describe("waiting for another process", () => {
  test("that never ends a turn is given up in the end", async () => {
    const server = world.process(new ScriptedModel(says("Hi")));
    await server.start("Hello", { key: "k" });
    const [turn] = await allTurns(server);
    if (!turn) throw new Error("There is no turn");
    const running = { ...turn, state: "running" as const, lease: { holder: "x", expiresAt: Infinity } };
    server.store.plan("findTurn", ...Array.from({ length: 999 }, () => async () => running));
    const attached = server.runner.attach(running, turn, world.log);
    await expect(world.until(attached, 10_000)).rejects.toMatchObject({ code: "aborted" });
  });
});
