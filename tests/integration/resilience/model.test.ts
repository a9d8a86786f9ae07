import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { deadline } from "../../../src/core/deadline.ts";
import type { ModelRequest } from "../../../src/core/model/language-model.ts";
import { createOpenAIModel } from "../../../src/providers/openai/index.ts";
import { classifyModelError, resilientModel } from "../../../src/resilience/resilient-model.ts";
import { Aimock, type Reply } from "../../support/aimock.ts";
import { settle, until } from "../../support/fake-clock.ts";
import { localOutbound } from "../../support/outbound.ts";
import { testUpstream, WAITS } from "../../support/upstream.ts";

const { streaming: http } = localOutbound();

const NEVER = new AbortController().signal;
const REPLY: ModelRequest = {
  operation: "reply",
  messages: [{ role: "user", content: "Hello" }],
  tools: [],
  locale: "en",
};
const TITLE: ModelRequest = { ...REPLY, operation: "title" };
const HANGS: Reply = { raw: [], ending: "hang" };
const BREAKS_OFF: Reply = { text: "It is sunny in Lisbon and in Porto today.", disconnectAfterChunks: 2 };

let aimock: Aimock;
let setUp: ReturnType<typeof testUpstream>;

beforeEach(async () => {
  aimock = await Aimock.start();
  setUp = testUpstream(classifyModelError);
});
afterEach(() => aimock.close());

async function ask(request = REPLY, signal = NEVER): Promise<string> {
  const openai = createOpenAIModel({ apiKey: "key", model: "gpt-test", baseUrl: aimock.baseUrl, http });
  return (await resilientModel(openai, setUp.upstream).generate(request, signal)).text;
}

/** The outcome of a call, with each wait before a retry skipped. */
async function outcomeOf(call: Promise<string>): Promise<unknown> {
  let over = false;
  const outcome = call
    .catch((error) => error)
    .finally(() => {
      over = true;
    });
  for (let retries = setUp.waits.length + 1; !over; retries++) {
    await until(() => over || setUp.waits.length === retries);
    if (!over) await setUp.clock.advance(setUp.waits.at(-1) ?? 0);
  }
  return outcome;
}

interface Case {
  readonly what: string;
  readonly reply: Reply;
  readonly requests: number;
  readonly reason: string;
  /** Of the breaker, after one call. */
  readonly state: string;
}

const status = (code: number): Reply => ({ status: code });

const CASES: readonly Case[] = [
  ...[500, 502, 503, 504].map((code) => ({
    what: `status ${code}`,
    reply: status(code),
    requests: 3,
    reason: "model_unavailable",
    state: "open",
  })),
  {
    what: "a cut connection",
    reply: { raw: [], ending: "disconnect" },
    requests: 3,
    reason: "model_unavailable",
    state: "open",
  },
  {
    what: "an answer that ends before its first word",
    reply: { raw: [": wait\n\n"], ending: "end" },
    requests: 3,
    reason: "model_interrupted",
    state: "open",
  },
  ...[408, 409, 429].map((code) => ({
    what: `status ${code}`,
    reply: { status: code, headers: {}, raw: ["{}"], ending: "end" } satisfies Reply,
    requests: 3,
    reason: "model_overloaded",
    state: "closed",
  })),
  ...[400, 401, 403, 404, 422].map((code) => ({
    what: `status ${code}`,
    reply: status(code),
    requests: 1,
    reason: "model_rejected",
    state: "closed",
  })),
  {
    what: "an answer that breaks off after its first words",
    reply: BREAKS_OFF,
    requests: 1,
    reason: "model_interrupted",
    state: "closed",
  },
];

test.each(CASES)("$what: $requests requests, then the breaker is $state", async (expected) => {
  aimock.always(() => true, expected.reply);
  expect(await outcomeOf(ask())).toMatchObject({ meta: { reason: expected.reason } });
  expect(aimock.requests).toHaveLength(expected.requests);
  expect(setUp.upstream.state).toBe(expected.state);
});

test.each([
  ["two failures", [status(500), status(503)]],
  ["a rate limit", [{ status: 429, retryAfterSeconds: 1 }]],
])("after %s the answer comes all the same", async (_what, faults) => {
  aimock.script(...faults, { text: "Sunny." });
  expect(await outcomeOf(ask())).toBe("Sunny.");
  expect(aimock.requests).toHaveLength(faults.length + 1);
});

test("nobody is listening: three attempts, then the breaker is open", async () => {
  const openai = createOpenAIModel({
    apiKey: "key",
    model: "gpt-test",
    baseUrl: "http://127.0.0.1:9",
    http,
  });
  const model = resilientModel(openai, setUp.upstream);
  const answer = model.generate(REPLY, NEVER).then(() => "an answer");
  expect(await outcomeOf(answer)).toMatchObject({ meta: { reason: "model_unavailable" } });
  expect(setUp.waits).toHaveLength(2);
  expect(setUp.upstream.state).toBe("open");
});

test("a hundred answers of 400, 401 and 404 leave the breaker closed", async () => {
  for (let call = 0; call < 100; call++) {
    aimock.script(status([400, 401, 404][call % 3] ?? 0));
    await expect(ask()).rejects.toMatchObject({ meta: { reason: "model_rejected" } });
  }
  expect(aimock.requests).toHaveLength(100);
  expect(setUp.seen).toEqual([]);
});

test("a model that stays silent is given up, its connection closed, and it counts as failing", async () => {
  aimock.always(() => true, HANGS);
  const call = expect(ask()).rejects.toMatchObject({
    code: "unavailable",
    meta: { reason: "model_unavailable" },
  });
  for (let attempt = 0; attempt < 3; attempt++) {
    const request = await aimock.request(attempt);
    await setUp.clock.advance(60_000);
    expect(await request.outcome).toBe("broken");
    const wait = setUp.waits[attempt];
    if (wait !== undefined) await setUp.clock.advance(wait);
  }
  await call;
  expect(aimock.requests).toHaveLength(3);
  expect(setUp.upstream.state).toBe("open");
});

test("three answers that break off open the breaker", async () => {
  aimock.always(() => true, BREAKS_OFF);
  for (let call = 0; call < 3; call++) {
    expect(setUp.upstream.state).toBe("closed");
    await expect(ask()).rejects.toMatchObject({ meta: { reason: "model_interrupted" } });
  }
  expect(setUp.upstream.state).toBe("open");
});

describe("the wait that the provider asks for", () => {
  test.each(WAITS)("%j is kept", async (headers, waitMs) => {
    setUp = testUpstream(classifyModelError, { random: () => 0 });
    aimock.script({ status: 429, headers, raw: ["{}"], ending: "end" }, { text: "Sunny." });
    const answer = ask();
    await until(() => setUp.waits.length === 1);
    await setUp.clock.advance(waitMs - 1);
    expect(aimock.requests).toHaveLength(1);
    await setUp.clock.advance(1);
    expect(await answer).toBe("Sunny.");
    expect(aimock.requests).toHaveLength(2);
  });

  test("a longer one than the turn has left ends the call at once, and is passed on", async () => {
    aimock.script({ status: 429, retryAfterSeconds: 20 });
    const turn = deadline(setUp.clock, 20_000, () => new Error("too late"));
    await expect(ask(REPLY, turn.signal)).rejects.toMatchObject({
      code: "unavailable",
      meta: { reason: "model_overloaded", retry_after: "20" },
    });
    expect(aimock.requests).toHaveLength(1);
  });
});

test("nothing is tried again after an abort", async () => {
  aimock.script(status(500));
  const gone = new AbortController();
  const call = ask(REPLY, gone.signal);
  await until(() => setUp.waits.length === 1);
  gone.abort(new Error("gone"));
  await expect(call).rejects.toThrow("gone");
  await setUp.clock.advance(60_000);
  expect(aimock.requests).toHaveLength(1);
});

describe("when the breaker is open", () => {
  beforeEach(async () => {
    aimock.script(status(500), status(500), status(500));
    await outcomeOf(ask());
    expect(setUp.upstream.state).toBe("open");
  });

  test("calls fail at once, without a request, and say when to come back", async () => {
    await setUp.clock.advance(9_500);
    await expect(ask()).rejects.toMatchObject({
      code: "unavailable",
      retryable: true,
      meta: { reason: "model_unavailable", retry_after: "21" },
    });
    expect(aimock.requests).toHaveLength(3);
  });

  test("after the cool-down one call of many goes through, and then all do", async () => {
    await setUp.clock.advance(30_000);
    aimock.always(() => true, { text: "Sunny." });
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => ask()));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(aimock.requests).toHaveLength(4);
    expect(await Promise.all(Array.from({ length: 20 }, () => ask()))).toEqual(Array(20).fill("Sunny."));
    expect(setUp.seen.filter((what) => what !== "breaker_open")).toEqual(["open", "half_open", "closed"]);
  });

  test("no title is asked for, and none is the probe", async () => {
    await expect(ask(TITLE)).rejects.toMatchObject({ meta: { reason: "model_unavailable" } });
    await setUp.clock.advance(30_000);
    await expect(ask(TITLE)).rejects.toMatchObject({ meta: { reason: "model_unavailable" } });
    expect(aimock.requests).toHaveLength(3);
  });
});

test("titles that fail are asked for once, and open nothing", async () => {
  aimock.always(() => true, status(500));
  for (let call = 0; call < 10; call++) {
    await expect(ask(TITLE)).rejects.toMatchObject({ meta: { reason: "model_unavailable" } });
  }
  expect(aimock.requests).toHaveLength(10);
  expect(setUp.upstream.state).toBe("closed");
});

test("when too many calls wait, one more fails at once", async () => {
  setUp = testUpstream(classifyModelError, { bulkhead: { maxConcurrent: 1, maxWaiting: 1 } });
  aimock.script(HANGS, { text: "Sunny." });
  const gone = new AbortController();
  const first = ask(REPLY, gone.signal);
  await aimock.request(0);
  const second = ask();
  await settle();
  await expect(ask()).rejects.toMatchObject({
    code: "resource_exhausted",
    retryable: true,
    meta: { reason: "model_queue_full" },
  });
  gone.abort(new Error("gone"));
  await expect(first).rejects.toThrow("gone");
  expect(await second).toBe("Sunny.");
});

test("of 200 calls at once one stays silent, and 199 are answered", async () => {
  const lost: ModelRequest = { ...REPLY, messages: [{ role: "user", content: "Lost" }] };
  aimock.always(({ messages }) => messages[0]?.content === "Lost", HANGS);
  aimock.always(() => true, { text: "Sunny." });
  let answered = 0;
  const calls = Array.from({ length: 200 }, async (_, index) => {
    const answer = await ask(index === 77 ? lost : REPLY);
    answered++;
    return answer;
  });
  const outcomes = Promise.allSettled(calls);
  await until(() => answered === 199);
  for (let attempt = 0; attempt < 3; attempt++) {
    await until(() => aimock.requests.length === 200 + attempt);
    await setUp.clock.advance(60_000);
    const wait = setUp.waits[attempt];
    if (wait !== undefined) await setUp.clock.advance(wait);
  }
  const failed = (await outcomes).flatMap(({ status }, index) => (status === "rejected" ? [index] : []));
  expect(failed).toEqual([77]);
});
