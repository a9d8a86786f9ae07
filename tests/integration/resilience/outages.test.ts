import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { systemClock } from "../../../src/system-clock.ts";
import { Aimock, type ChatRequest } from "../../support/aimock.ts";
import { startTestApp } from "../../support/app.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";
import { callJson } from "../../support/twirp.ts";

const PARIS = "tests/fixtures/tools/open-meteo/geocoding-paris.json";
const FORECAST = "tests/fixtures/tools/open-meteo/forecast-metric.json";

let model: Aimock;
let app: Awaited<ReturnType<typeof startTestApp>>;
/** How far the server's clock is ahead, in milliseconds. */
let aheadMs: number;

beforeEach(async () => {
  model = await Aimock.start();
  aheadMs = 0;
});
afterEach(async () => {
  await app.stop();
  await model.close();
});

async function startApp(environment: Record<string, string> = {}): Promise<void> {
  const clock = { ...systemClock, now: () => Date.now() + aheadMs };
  app = await startTestApp(
    {
      OPENAI_BASE_URL: model.baseUrl,
      OPENAI_MODEL: "gpt-test",
      ...environment,
    },
    { clock },
  );
}

const ask = () => callJson<{ reply: string }>(app.url, "StartConversation", { message: "Hello" });

async function ready(): Promise<[number, unknown]> {
  const response = await fetch(`${app.url}/ready`);
  return [response.status, await response.json()];
}

const asksForTitle = ({ tools }: ChatRequest) => tools === undefined;

/** Of 200 turns while the breaker is open, in milliseconds. */
async function p99OfRefusals(): Promise<number> {
  const durations: number[] = [];
  for (let turn = 0; turn < 200; turn++) {
    const startedAt = performance.now();
    const { status, body } = await ask();
    durations.push(performance.now() - startedAt);
    expect({ status, code: body.code, reason: body.meta?.reason }).toEqual({
      status: 503,
      code: "unavailable",
      reason: "model_unavailable",
    });
    expect(body.meta?.retry_after).toMatch(/^(300|[12]\d\d)$/);
  }
  return durations.sort((a, b) => a - b)[198] ?? Number.POSITIVE_INFINITY;
}

describe("the model is down", () => {
  test("one turn makes three requests; then turns fail at once, until the model is back", async () => {
    model.always(asksForTitle, { text: "A title" });
    model.script({ status: 503 }, { status: 503 }, { status: 503 }, { text: "Back again." });
    await startApp({ CIRCUIT_BREAKER_COOLDOWN_SECONDS: "300" });
    const replies = () => model.requests.filter(({ body }) => !asksForTitle(body)).length;

    expect(await ready()).toMatchObject([200, { status: "ready", dependencies: { "model:openai": "ok" } }]);
    expect(await ask()).toMatchObject({ status: 503, body: { meta: { reason: "model_unavailable" } } });
    expect(replies()).toBe(3);
    expect(await ready()).toMatchObject([
      200,
      { status: "degraded", dependencies: { "model:openai": "open", weather: "ok" } },
    ]);

    // Whatever else runs on the machine slows a round down: one that it leaves alone shows the figure.
    let p99 = await p99OfRefusals();
    for (let round = 1; p99 >= 100 && round < 5; round++) p99 = await p99OfRefusals();
    expect(p99).toBeLessThan(100);
    expect(replies()).toBe(3);

    aheadMs = 300_000;
    expect(await ready()).toMatchObject([200, { dependencies: { "model:openai": "half_open" } }]);
    expect(await ask()).toMatchObject({ status: 200, body: { reply: "Back again." } });
    expect(await ready()).toMatchObject([200, { status: "ready", dependencies: { "model:openai": "ok" } }]);
    expect([...app.log.at("warn"), ...app.log.at("info")].filter((line) => line.includes("breaker"))).toEqual(
      [
        "model:openai is failing: its breaker is open",
        "model:openai is tried again: its breaker is half open",
        "model:openai works again: its breaker is closed",
      ],
    );
  }, 60_000);
});

describe("a tool's source is down", () => {
  let source: LocalServer;
  let isDown: boolean;

  beforeEach(async () => {
    isDown = true;
    source = await localServer(({ pathname }, response) => {
      if (isDown) response.writeHead(503).end();
      else response.end(readFileSync(pathname === "/v1/search" ? PARIS : FORECAST));
    });
  });
  afterEach(() => source.close());

  /** A model that asks for the tool, and then answers in words. */
  function modelThatCalls(name: string, args: object): void {
    model.always(asksForTitle, { text: "A title" });
    model.always(({ messages }) => messages.at(-1)?.role === "tool", { text: "That much I can say." });
    model.always(() => true, { toolCalls: [{ name, arguments: args }] });
  }

  async function turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) {
      expect(await ask()).toMatchObject({ status: 200, body: { reply: "That much I can say." } });
    }
  }

  const toldToModel = () =>
    model.requests.flatMap(({ body }) => {
      const last = body.messages.at(-1);
      return last?.role === "tool" ? [last.content] : [];
    });

  const weather = () => ({ OPEN_METEO_GEOCODING_URL: source.url, OPEN_METEO_FORECAST_URL: source.url });

  test("the weather: every turn is answered, and the model is told", async () => {
    modelThatCalls("get_weather", { location: "Lisbon" });
    await startApp(weather());
    await turns(50);
    expect(source.requests).toHaveLength(3);
    expect(toldToModel()).toHaveLength(50);
    for (const told of toldToModel()) expect(told).toMatch(/The weather service can't .* Try again later\.$/);
    expect(await ready()).toMatchObject([200, { status: "degraded", dependencies: { weather: "open" } }]);
  });

  test("the weather, known from before: it is used while the breaker is open, and marked as old", async () => {
    isDown = false;
    modelThatCalls("get_weather", { location: "Paris" });
    // The user's day is part of the question: it must not end in the minutes that pass here.
    const isLate = new Date().getUTCHours() === 23;
    await startApp({ ...weather(), DEFAULT_TIMEZONE: isLate ? "Etc/GMT+6" : "UTC" });
    await turns(1);
    isDown = true;
    aheadMs = 11 * 60_000;
    await turns(20);
    expect(source.requests).toHaveLength(2 + 3);
    expect(toldToModel().map((told) => JSON.parse(told ?? "").stale)).toEqual([
      undefined,
      ...Array(20).fill(true),
    ]);
  });

  test("the calendar feed: every turn is answered, and the model is told", async () => {
    modelThatCalls("get_holidays", {});
    await startApp({ HOLIDAY_CALENDAR_URL: source.url });
    await turns(10);
    expect(source.requests).toHaveLength(3);
    for (const told of toldToModel())
      expect(told).toMatch(/The holiday calendar can't .* Try again later\.$/);
    expect(await ready()).toMatchObject([200, { status: "degraded", dependencies: { calendar: "open" } }]);
  });
});
