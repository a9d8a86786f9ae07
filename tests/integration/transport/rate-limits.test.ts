import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { startTestApp } from "../../support/app.ts";
import { rawRequest, rpc } from "../../support/raw-http.ts";
import { ScriptedModel, says } from "../../support/scripted-model.ts";

const ANN = "ann-secret-0123456789";
const BOB = "bob-secret-0123456789";
const BOT = "bot-secret-0123456789";

let app: Awaited<ReturnType<typeof startTestApp>>;
// The limiter's clock stands still, so that no test is too slow for its second.
beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ["nextTick", "setImmediate", "queueMicrotask", "performance", "hrtime"] });
});
afterEach(async () => {
  await app.stop();
  jest.useRealTimers();
});

async function open(environment: Record<string, string>, model = new ScriptedModel()) {
  app = await startTestApp({ API_RATE_LIMIT_RPS: "2", API_RATE_LIMIT_BURST: "3", ...environment }, { model });
}

/** The statuses of requests sent at the same moment. */
async function statuses(count: number, headers: Record<string, string> = {}): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: count }, () => rawRequest(app.url, { headers })));
  return answers.map(({ status }) => status).sort();
}

test("beyond the limit and the burst of an address the answer says when to come again", async () => {
  await open({});
  const answers = await Promise.all(Array.from({ length: 8 }, () => rawRequest(app.url)));
  const passed = answers.filter(({ status }) => status === 200);
  expect(passed).toHaveLength(5);
  expect(passed.map(({ headers }) => headers.ratelimit)).toContain('"address";r=1;t=1');
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(3);
  for (const { headers, body } of refused) {
    expect(headers).toMatchObject({
      "retry-after": "1",
      "ratelimit-policy": '"address";q=2;w=1',
      ratelimit: '"address";r=0;t=1',
    });
    expect(JSON.parse(body)).toEqual({
      code: "resource_exhausted",
      msg: "Too many requests from this address. Send it again in 1 second.",
      meta: { limit: "address", reason: "rate_limit", retry_after: "1" },
    });
  }
});

test("health is exempt, and so is everything where the limit is 0", async () => {
  await open({ API_RATE_LIMIT_RPS: "1", API_RATE_LIMIT_BURST: "0" });
  await statuses(3);
  for (const path of ["/health", "/ready", "/health"]) {
    expect(await rawRequest(app.url, { method: "GET", path })).toMatchObject({ status: 200 });
  }
  await app.stop();
  await open({ API_RATE_LIMIT_RPS: "0" });
  expect(await statuses(50)).toEqual(Array(50).fill(200));
  expect((await rawRequest(app.url)).headers.ratelimit).toBeUndefined();
});

test("a flood is told of in the log in few lines", async () => {
  await open({});
  await statuses(50);
  expect(app.log.lines.filter(({ level }) => level === "warn")).toEqual([
    { level: "warn", message: "Requests are turned away", fields: { refused: { rate_limit: 1 } } },
  ]);
  expect(app.log.at("info").filter((message) => message === "Request")).toHaveLength(5);
});

test("X-Forwarded-For names the client behind a trusted proxy", async () => {
  await open({ TRUSTED_PROXIES: "127.0.0.1", API_RATE_LIMIT_RPS: "1", API_RATE_LIMIT_BURST: "0" });
  const from = (client: string) => ({ "x-forwarded-for": client });
  expect(await statuses(2, from("203.0.113.1"))).toEqual([200, 429]);
  expect(await statuses(2, from("1.2.3.4, 203.0.113.2"))).toEqual([200, 429]);
  expect(await statuses(1, from("9.9.9.9, 203.0.113.2"))).toEqual([429]);
  expect(await statuses(2, from("2001:db8::1"))).toEqual([200, 429]);
  expect(await statuses(1, from("2001:db8::2"))).toEqual([429]);
  expect(await statuses(1, from("2001:db8:0:1::1"))).toEqual([200]);
});

test("X-Forwarded-For of anyone else changes nothing, and the log tells of it once", async () => {
  await open({ API_RATE_LIMIT_RPS: "1", API_RATE_LIMIT_BURST: "0" });
  expect(await statuses(1, { "x-forwarded-for": "203.0.113.1" })).toEqual([200]);
  expect(await statuses(1, { "x-forwarded-for": "203.0.113.2" })).toEqual([429]);
  expect(app.log.at("warn").filter((message) => message.includes("TRUSTED_PROXIES"))).toHaveLength(1);
});

test("a key is counted wherever it is used from, and an address whatever key it uses", async () => {
  await open({
    API_KEYS: `ann:${ANN},bob:${BOB}`,
    TRUSTED_PROXIES: "127.0.0.1",
    API_RATE_LIMIT_RPS: "1",
    API_RATE_LIMIT_BURST: "0",
  });
  const call = (key: string, client: string) =>
    rawRequest(app.url, { headers: { "x-api-key": key, "x-forwarded-for": client } });
  const first = await call(ANN, "203.0.113.1");
  expect(first.headers).toMatchObject({
    "ratelimit-policy": '"address";q=1;w=1, "key";q=1;w=1',
    ratelimit: '"address";r=0;t=1, "key";r=0;t=1',
  });
  expect(JSON.parse((await call(ANN, "203.0.113.2")).body).meta.limit).toBe("key");
  expect(JSON.parse((await call(BOB, "203.0.113.1")).body).meta.limit).toBe("address");
  expect(await call(BOB, "203.0.113.3")).toMatchObject({ status: 200 });
});

test("whoever tries keys is limited by address before being told that they are wrong", async () => {
  await open({ API_KEYS: `ann:${ANN}` });
  expect(await statuses(8, { "x-api-key": BOB })).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
});

test("a key with limits of its own is counted by itself alone, and each of its users for themselves", async () => {
  const model = new ScriptedModel(...Array.from({ length: 20 }, () => says("Hello")));
  const keys = { API_KEYS: `bot:${BOT},ann:${ANN}`, API_KEY_LIMITS: "bot:15:0" };
  await open({ ...keys, API_RATE_LIMIT_RPS: "2", API_RATE_LIMIT_BURST: "0" }, model);
  const says2 = (user_id: string, key = BOT) =>
    rawRequest(app.url, {
      path: rpc("StartConversation"),
      headers: { "x-api-key": key },
      body: JSON.stringify({
        message: "Hi",
        session_metadata: { platform: "p", user_id, chat_id: crypto.randomUUID() },
      }),
    });
  const answers = await Promise.all(["u1", "u2"].flatMap((user) => [1, 2, 3].map(() => says2(user))));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 429, 429]);
  const refused = answers.find(({ status }) => status === 429);
  expect(JSON.parse(refused?.body ?? "")).toEqual({
    code: "resource_exhausted",
    msg: "Too many requests of this user. Send it again in 1 second.",
    meta: { limit: "user", reason: "rate_limit", retry_after: "1" },
  });
  expect(refused?.headers["retry-after"]).toBe("1");
  // The bot's own requests have used up none of its address, and 6 of its 15.
  expect(await statuses(12, { "x-api-key": BOT })).toEqual([...Array(9).fill(200), ...Array(3).fill(429)]);
  expect(await says2("u1", ANN)).toMatchObject({ status: 200 });
});

test("a limited client that comes again when it was told to is let in", async () => {
  await open({ API_RATE_LIMIT_RPS: "1", API_RATE_LIMIT_BURST: "1" });
  expect(await statuses(3)).toEqual([200, 200, 429]);
  jest.advanceTimersByTime(999);
  expect(await statuses(1)).toEqual([429]);
  jest.advanceTimersByTime(1);
  expect(await statuses(2)).toEqual([200, 429]);
  jest.advanceTimersByTime(59_000);
  expect(await statuses(3)).toEqual([200, 200, 429]);
});
