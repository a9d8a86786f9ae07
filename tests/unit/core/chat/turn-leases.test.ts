import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Step } from "../../../../src/core/assistant/step.ts";
import { sweepExpiredTurns } from "../../../../src/core/chat/sweeper.ts";
import type { RunningTurn } from "../../../../src/core/chat/turn.ts";
import { gate, takes } from "../../../support/answers.ts";
import { toolStep } from "../../../support/assistant-run.ts";
import { ChatWorld, SETTINGS, type ServerProcess } from "../../../support/chat-world.ts";
import { settle } from "../../../support/fake-clock.ts";
import { fails } from "../../../support/faults.ts";
import { calls, hangs, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { beginStored, saveSteps } from "../../../support/stored-turns.ts";
import { echoTool } from "../../../support/tools.ts";

let world: ChatWorld;
beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

/** A turn whose process died after it wrote these steps down; its lease still holds. */
async function orphan(
  { store }: ServerProcess,
  { steps = [toolStep({ result: '"old"' })], attempts = 1 }: { steps?: Step[]; attempts?: number } = {},
): Promise<RunningTurn> {
  const conversationId = world.ids.next();
  const { leaseMs } = SETTINGS;
  const turn = await beginStored(world, store, { conversationId, content: "Before the crash", leaseMs });
  await saveSteps(store, turn, steps);
  for (let attempt = 2; attempt <= attempts; attempt++) {
    await store.takeOverTurn(turn, turn.lease, turn.lease.expiresAt);
  }
  return turn;
}

function sweep(server: ServerProcess, signal: AbortSignal): Promise<void> {
  const { clock, log } = world;
  return sweepExpiredTurns({ runner: server.runner, store: server.store, clock, log }, 10_000, signal);
}

describe("a lease", () => {
  test("is renewed as long as the turn runs, and no longer", async () => {
    const model = new ScriptedModel(takes(world.clock, 100_000, says("at last")));
    const [server, other] = [world.process(model), world.process(new ScriptedModel())];
    const starting = server.start("Hi");
    await world.clock.advance(99_000);
    expect(await other.store.listExpiredTurns(world.clock.now(), 9)).toEqual([]);
    expect(server.store.count("renewLease")).toBe(9);
    await world.clock.advance(1_000);
    const { conversationId } = await starting;
    await world.clock.advance(100_000);
    expect(server.store.count("renewLease")).toBeLessThanOrEqual(10);
    expect(await server.store.findTurn({ conversationId, seq: 1 })).toMatchObject({ attempts: 1 });
  });

  test("whose renewal fails once is renewed the next time", async () => {
    const model = new ScriptedModel(takes(world.clock, 50_000, says("at last")));
    const server = world.process(model);
    server.store.plan("renewLease", fails);
    const starting = server.start("Hi");
    await world.clock.advance(29_999);
    expect(await server.store.listExpiredTurns(world.clock.now() + 2, 9)).toEqual([]);
    expect((await world.until(starting, 1_000)).reply).toBe("at last");
    expect(world.log.at("warn")).toEqual(["A turn's lease could not be renewed"]);
  });

  test("lost to another process in mid-turn: one reply, and both callers get it", async () => {
    const [slow, quick] = [new ScriptedModel(hangs), new ScriptedModel(says("taken over"))];
    const [one, two] = [world.process(slow), world.process(quick)];
    one.store.plan("renewLease", fails, fails, fails, fails);
    const startedAt = world.clock.now();
    const first = one.start("Hi", { key: "k" });
    await world.clock.advance(30_000);
    const second = two.start("Hi", { key: "k" });
    const results = await world.until(Promise.all([first, second]));
    expect(results.map(({ reply }) => reply)).toEqual(["taken over", "taken over"]);
    expect(world.clock.now() - startedAt).toBeLessThan(SETTINGS.timeoutMs);
    expect(world.log.at("warn")).not.toContain("A turn failed");
    const { conversationId } = results[0];
    expect(await two.store.listTurns(conversationId, 1, 9)).toMatchObject([
      { state: "completed", reply: { content: "taken over" }, attempts: 2 },
    ]);
    expect(await two.store.listConversations("ann", 9)).toMatchObject([{ messageCount: 2 }]);
  });

  test("lost while the model answers: that answer is not stored", async () => {
    const held = gate();
    const late = new ScriptedModel(async function* () {
      await held.opened;
      yield* says("too late");
    });
    const quick = new ScriptedModel(says("taken over"));
    const [one, two] = [world.process(late), world.process(quick)];
    one.store.plan("renewLease", fails, fails, fails);
    const first = one.start("Hi", { key: "k" });
    await world.clock.advance(30_000);
    const second = await world.until(two.start("Hi", { key: "k" }));
    held.open();
    expect(await world.until(first)).toEqual(second);
    expect(second.reply).toBe("taken over");
  });

  test("lost before a step is written: the step is not, and no tool is called", async () => {
    let sent = 0;
    const send = echoTool({ readOnly: false }, async () => ++sent);
    const held = gate();
    const late = new ScriptedModel(async function* () {
      await held.opened;
      yield* calls({});
    });
    const one = world.process(late, { tools: [send] });
    const two = world.process(new ScriptedModel(says("taken over")), { tools: [send] });
    one.store.plan("renewLease", fails, fails, fails);
    const first = one.start("Hi", { key: "k" });
    await world.clock.advance(30_000);
    await world.until(two.start("Hi", { key: "k" }));
    one.store.plan("renewLease", fails);
    held.open();
    expect((await world.until(first)).reply).toBe("taken over");
    expect(sent).toBe(0);
  });
});

describe("a turn whose process died", () => {
  test("is taken over by the next message, from its last written step", async () => {
    const model = new ScriptedModel(says("after the crash"), says("and now you"));
    const server = world.process(model);
    const { conversationId } = await orphan(server);
    const next = server.continue("Next", { conversationId });
    await world.clock.advance(29_900);
    expect(model.requests).toHaveLength(0);
    expect((await world.until(next)).reply).toBe("and now you");
    expect(model.requests[0]?.messages.slice(1).map(({ content }) => content)).toEqual([
      "Before the crash",
      "",
      '"old"',
    ]);
    expect(await server.store.listTurns(conversationId, 1, 9)).toMatchObject([
      { state: "completed", reply: { content: "after the crash" }, attempts: 2 },
      { state: "completed", reply: { content: "and now you" } },
    ]);
  });

  test("is taken over by the sweeper", async () => {
    const model = new ScriptedModel(says("after the crash"));
    const server = world.process(model);
    const turn = await orphan(server);
    const abort = new AbortController();
    const swept = sweep(server, abort.signal);
    await world.clock.advance(29_000);
    expect(model.requests).toHaveLength(0);
    await world.clock.advance(1_000);
    expect(await server.store.findTurn(turn)).toMatchObject({ state: "completed", attempts: 2 });
    expect(world.log.at("info")).toEqual(["Taking over an interrupted turn"]);
    expect(await server.store.findConversation("ann", turn.conversationId)).toMatchObject({
      title: "A title",
    });
    abort.abort();
    await swept;
  });

  test("is taken over by one of two sweepers", async () => {
    const model = new ScriptedModel(takes(world.clock, 1_000, says("after the crash")));
    const servers = [world.process(model), world.process(model)];
    const turn = await orphan(servers[0] as ServerProcess);
    const abort = new AbortController();
    const swept = servers.map((server) => sweep(server, abort.signal));
    await world.clock.advance(32_000);
    expect(await servers[0]?.store.findTurn(turn)).toMatchObject({ state: "completed", attempts: 2 });
    expect(model.requests).toHaveLength(1);
    abort.abort();
    await Promise.all(swept);
  });

  test("does not repeat a side effect, and repeats what only reads", async () => {
    const made: string[] = [];
    const tools = [
      echoTool({ name: "read" }, async () => made.push("read")),
      echoTool({ name: "send", readOnly: false }, async () => made.push("send")),
    ];
    const model = new ScriptedModel(says("ok"));
    const server = world.process(model, { tools });
    const turn = await orphan(server, { steps: [toolStep({ name: "send" }, { name: "read" })] });
    await world.clock.advance(30_000);
    await server.runner.takeOver(turn, world.log);
    expect(made).toEqual(["read"]);
    expect(await server.store.findTurn(turn)).toMatchObject({
      state: "completed",
      steps: [{ toolCalls: [{ error: expect.stringContaining("Outcome unknown") }, { result: "1" }] }, {}],
    });
  });

  test("is run five times; interrupted that often, it fails for good", async () => {
    const model = new ScriptedModel(says("fifth time lucky"));
    const server = world.process(model);
    const fourTimes = await orphan(server, { attempts: 4 });
    const fiveTimes = await orphan(server, { attempts: 5 });
    await world.clock.advance(30_000);
    await server.runner.takeOver(fourTimes, world.log);
    await server.runner.takeOver(fiveTimes, world.log);
    expect(await server.store.findTurn(fourTimes)).toMatchObject({ state: "completed", attempts: 5 });
    expect(await server.store.findTurn(fiveTimes)).toMatchObject({
      state: "failed",
      error: { code: "internal", retryable: false, message: expect.stringContaining("several times") },
      steps: [toolStep({ result: '"old"' })],
    });
    expect(model.requests).toHaveLength(1);
  });

  test("is left as it is when the store fails as it is given up, not ended for that reason", async () => {
    const server = world.process(new ScriptedModel());
    const turn = await orphan(server, { attempts: 5 });
    await world.clock.advance(30_000);
    server.store.plan("endTurn", fails);
    await expect(server.runner.takeOver(turn, world.log)).rejects.toMatchObject({ code: "unavailable" });
    expect(await server.store.findTurn(turn)).toMatchObject({ state: "running" });
  });

  test("whose lease still holds is left alone", async () => {
    const model = new ScriptedModel();
    const server = world.process(model);
    const turn = await orphan(server);
    await server.runner.takeOver(turn, world.log);
    expect(await server.store.findTurn(turn)).toMatchObject({ state: "running", lease: turn.lease });
  });
});

describe("the sweeper", () => {
  test("goes on after the store could not be asked", async () => {
    const server = world.process(new ScriptedModel(says("ok")));
    const turn = await orphan(server);
    await world.clock.advance(30_000);
    server.store.plan("listExpiredTurns", fails);
    const abort = new AbortController();
    const swept = sweep(server, abort.signal);
    await world.clock.advance(1_000);
    expect(world.log.at("warn")).toEqual(["Interrupted turns could not be looked for"]);
    await world.clock.advance(10_000);
    expect(await server.store.findTurn(turn)).toMatchObject({ state: "completed" });
    abort.abort();
    await swept;
  });

  test("goes on after a turn could not be taken over", async () => {
    const server = world.process(new ScriptedModel(says("ok")));
    const turn = await orphan(server);
    await world.clock.advance(30_000);
    server.store.plan("takeOverTurn", fails);
    const abort = new AbortController();
    const swept = sweep(server, abort.signal);
    await settle();
    expect(world.log.at("warn")).toEqual(["An interrupted turn could not be brought to its end"]);
    await world.clock.advance(10_000);
    expect(await server.store.findTurn(turn)).toMatchObject({ state: "completed" });
    abort.abort();
    await swept;
  });

  test("takes over at most sixteen at a time", async () => {
    const model = new ScriptedModel(
      ...Array.from({ length: 20 }, () => takes(world.clock, 15_000, says("ok"))),
    );
    const server = world.process(model);
    for (let count = 0; count < 20; count++) await orphan(server);
    await world.clock.advance(30_000);
    const abort = new AbortController();
    const swept = sweep(server, abort.signal);
    await world.clock.advance(10_000);
    expect(model.requests).toHaveLength(16);
    await world.clock.advance(10_000);
    expect(model.requests).toHaveLength(20);
    await world.clock.advance(15_000);
    expect(await server.store.listExpiredTurns(Number.MAX_SAFE_INTEGER, 99)).toEqual([]);
    abort.abort();
    await swept;
  });

  test("ends when it is told to", async () => {
    const server = world.process(new ScriptedModel());
    await sweep(server, AbortSignal.abort());
    expect(server.store.count("listExpiredTurns")).toBe(0);
  });
});
