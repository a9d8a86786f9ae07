import { expect, test } from "@jest/globals";
import { Registry } from "prom-client";
import type { CallOrigin, ModelCall } from "../../../src/core/ledger/model-call.ts";
import { createMeters } from "../../../src/observability/metrics/meters.ts";
import { meterModelCalls } from "../../../src/observability/model-calls.ts";
import { watchRequests } from "../../../src/observability/requests.ts";
import { watchTurns } from "../../../src/observability/turns.ts";
import { readSamples } from "../../support/metrics.ts";
import { TestLog } from "../../support/test-log.ts";

const USERS = 100_000;

function setUp(maxUsers: number) {
  const registry = new Registry();
  const meters = createMeters(registry);
  const observe = meterModelCalls(meters, { models: new Set(["gpt-5-mini"]), maxUsers });
  const call = ({ platform = "telegram", userId, ...changes }: Partial<ModelCall & CallOrigin>) => {
    const made: ModelCall = {
      id: "call-1",
      provider: "openai",
      model: "gpt-5-mini",
      operation: "reply",
      startedAt: 0,
      durationMs: 10,
      status: "ok",
      usage: { inputTokens: 2, outputTokens: 1 },
      cost: 500_000_000_000n,
      ...changes,
    };
    observe(made, { platform, userId }, 5);
  };
  const samples = async () => readSamples(await registry.metrics());
  return { meters, call, samples };
}

test(`${USERS} users, platforms and models leave the number of series unchanged`, async () => {
  const { call, samples } = setUp(100);
  const callAll = (from: number) => {
    for (let i = from; i < from + USERS; i++) {
      call({ userId: `user-${i}` });
      call({ platform: `platform-${i}` });
      call({ model: `model-${i}` });
    }
  };
  callAll(0);
  const before = await samples();
  callAll(USERS);
  const after = await samples();
  expect([...after.keys()]).toEqual([...before.keys()]);
  expect(before.size).toBeLessThan(5_000);

  const tokens = [...after].filter(([name]) => name.startsWith("openai_tokens_total"));
  expect(tokens.reduce((sum, [, value]) => sum + value, 0)).toBe(3 * 6 * USERS);
  expect(after.get('llm_cost_usd_total{model="other",provider="openai"}')).toBe(USERS);
  const users = new Set(tokens.map(([name]) => /user_id="([^"]*)"/.exec(name)?.[1]));
  expect(users.size).toBe(102);
  expect(users).toContain("other");
  expect(users).toContain("");
});

test("users are not told apart unless that is wanted", async () => {
  const { call, samples } = setUp(0);
  call({ userId: "ann" });
  call({ userId: "bob" });
  const series =
    'llm_requests_total{model="gpt-5-mini",operation="reply",platform="telegram",provider="openai"';
  expect((await samples()).get(`${series},status="ok",user_id=""}`)).toBe(2);
  expect([...(await samples()).keys()].join()).not.toMatch(/ann|bob/);
});

test("another provider's calls are not OpenAI's, and a call without a price is counted as such", async () => {
  const { call, samples } = setUp(0);
  call({ provider: "demo", model: "demo", cost: undefined, usage: undefined });
  const read = await samples();
  expect([...read.keys()].filter((name) => name.startsWith("openai_"))).toEqual([]);
  expect(read.get('llm_calls_without_price_total{model="other",provider="demo"}')).toBe(1);
});

test("junk methods and made up tools are other and unknown", async () => {
  const { meters, samples } = setUp(0);
  const log = new TestLog();
  const requests = watchRequests({ meters });
  const turns = watchTurns({ meters }, () => undefined);
  const turn = turns.begin({} as Parameters<typeof turns.begin>[0], log);
  for (let i = 0; i < 1_000; i++) {
    requests.begin({ method: `JUNK${i}`, path: "other" }, log).end({ status: 404 });
    const call = { id: "c", name: `tool_${i}`, arguments: "{}" };
    await turn.toolCall(call, undefined, async () => ({ outcome: "unknown_tool", error: "There is none." }));
  }
  const read = await samples();
  expect(read.get('http_requests_total{method="other",path="other",status="404"}')).toBe(1_000);
  expect(read.get('tool_calls_total{outcome="unknown_tool",tool="unknown"}')).toBe(1_000);
  expect([...read.keys()].join()).not.toMatch(/JUNK|tool_\d/);
});
