import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Registry } from "prom-client";
import type { ModelCall } from "../../../src/core/ledger/model-call.ts";
import { createMeters } from "../../../src/observability/metrics/meters.ts";
import { watchTurns } from "../../../src/observability/turns.ts";
import { ChatWorld } from "../../support/chat-world.ts";
import { settle } from "../../support/fake-clock.ts";
import { fails } from "../../support/faults.ts";
import { readSamples } from "../../support/metrics.ts";
import { calls, hangs, ScriptedModel, says } from "../../support/scripted-model.ts";
import { echoTool } from "../../support/tools.ts";

let world: ChatWorld;

beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

function watched(...answers: ConstructorParameters<typeof ScriptedModel>) {
  const registry = new Registry();
  const metered: ModelCall[] = [];
  const observer = watchTurns({ meters: createMeters(registry) }, (call) => metered.push(call));
  const server = world.process(new ScriptedModel(...answers), { observer, tools: [echoTool()] });
  const read = async (...names: string[]) => {
    const samples = readSamples(await registry.metrics());
    return names.map((name) => samples.get(name));
  };
  return { ...server, metered, read };
}

test("a message that waits behind another, and what becomes of both", async () => {
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const server = watched(async function* () {
    await answered;
    yield* says("one");
  }, says("two"));
  const { conversationId } = await world.until(watched(says("zero")).start("Hi"));
  const first = server.continue("one", { conversationId });
  await settle();
  const second = server.continue("two", { conversationId });
  await settle();
  expect(await server.read("turns_running", "turns_waiting")).toEqual([1, 1]);
  answer();
  await world.until(Promise.all([first, second]));
  expect(await server.read("turns_running", "turns_waiting", 'turns_total{outcome="completed"}')).toEqual([
    0, 0, 2,
  ]);
});

test("a turn that is lost to another process, which takes it over, and a request that gets its reply", async () => {
  const [slow, quick] = [watched(hangs), watched(says("taken over"))];
  slow.store.plan("renewLease", fails, fails, fails, fails);
  const first = slow.start("Hi", { key: "k" });
  await world.clock.advance(30_000);
  const second = quick.start("Hi", { key: "k" });
  await world.until(Promise.all([first, second]));
  expect(await slow.read('turns_total{outcome="lost"}', "turns_taken_over_total")).toEqual([1, 0]);
  expect(
    await quick.read('turns_total{outcome="completed"}', "turns_taken_over_total", "turns_replayed_total"),
  ).toEqual([1, 1, 1]);
});

test("one line for each turn, with the sums of its steps", async () => {
  const server = watched(calls({ arguments: '{"text":"a"}' }, { name: "nothing" }), says("done"));
  await world.until(server.start("Hi"));
  const lines = world.log.lines.filter(({ message }) => message === "Turn");
  expect(lines).toMatchObject([
    {
      level: "info",
      fields: { outcome: "completed", steps: 2, tool_calls: 2, input_tokens: 20, output_tokens: 10 },
    },
  ]);
  expect(
    await server.read(
      'tool_calls_total{outcome="ok",tool="echo"}',
      'tool_calls_total{outcome="unknown_tool",tool="unknown"}',
    ),
  ).toEqual([1, 1]);
});

test("each model call of a turn, titles and failures included", async () => {
  const server = watched(new Error("The model is away"));
  await expect(world.until(server.start("Hi"))).rejects.toThrow();
  expect(server.metered.map(({ operation, status }) => `${operation} ${status}`).sort()).toEqual([
    "reply failed",
    "title ok",
  ]);
  expect(await server.read('turns_total{outcome="failed"}')).toEqual([1]);
});
