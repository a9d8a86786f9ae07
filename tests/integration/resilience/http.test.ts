import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { deadline } from "../../../src/core/deadline.ts";
import { classifyHttpError, resilientHttp } from "../../../src/resilience/resilient-http.ts";
import { settle, until } from "../../support/fake-clock.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";
import { localOutbound } from "../../support/outbound.ts";
import { testUpstream, WAITS } from "../../support/upstream.ts";

const { http } = localOutbound();

const NEVER = new AbortController().signal;

let server: LocalServer;
let answer: (response: ServerResponse, path: string) => void;
let setUp: ReturnType<typeof testUpstream>;

beforeEach(async () => {
  server = await localServer((url, response) => answer(response, url.pathname));
  setUp = testUpstream(classifyHttpError, { timeoutMs: 4_000, random: () => 0 });
});
afterEach(() => server.close());

const status = (code: number, headers: Record<string, string> = {}) => {
  answer = (response) => response.writeHead(code, headers).end(`status ${code}`);
};

function get({ path = "/", signal = NEVER, maxBytes = 1_000, url = server.url } = {}) {
  return resilientHttp(http, setUp.upstream).get(new URL(path, url), { signal, maxBytes });
}

/** The outcome of a call whose retries don't wait. */
async function outcomeOf<T>(call: Promise<T>): Promise<T | Error> {
  let over = false;
  const outcome = call.finally(() => {
    over = true;
  });
  outcome.catch(() => undefined);
  while (!over) await setUp.clock.advance(0);
  return outcome.catch((error) => error);
}

test.each([
  [200, 1, "closed"],
  [301, 1, "closed"],
  [400, 1, "closed"],
  [401, 1, "closed"],
  [403, 1, "closed"],
  [404, 1, "closed"],
  [408, 3, "closed"],
  [409, 3, "closed"],
  [429, 3, "closed"],
  [500, 3, "open"],
  [502, 3, "open"],
  [503, 3, "open"],
  [504, 3, "open"],
])(
  "status %i: %i requests, then the breaker is %s; the tool gets the answer",
  async (code, requests, state) => {
    status(code);
    expect(await outcomeOf(get())).toMatchObject({ status: code, body: `status ${code}` });
    expect(server.requests).toHaveLength(requests);
    expect(setUp.upstream.state).toBe(state);
  },
);

test.each<[string, (response: ServerResponse) => void]>([
  ["a connection cut before the answer", (response) => response.destroy()],
  [
    "a connection cut in the answer",
    (response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => response.destroy());
    },
  ],
])("%s: three requests, then the breaker is open", async (_what, handle) => {
  answer = handle;
  expect(await outcomeOf(get())).toMatchObject({ code: "UND_ERR_SOCKET" });
  expect(server.requests).toHaveLength(3);
  expect(setUp.upstream.state).toBe("open");
});

test("nobody is listening: three attempts, then the breaker is open", async () => {
  expect(await outcomeOf(get({ url: "http://127.0.0.1:9" }))).toMatchObject({ code: "ECONNREFUSED" });
  expect(setUp.waits).toHaveLength(2);
  expect(setUp.upstream.state).toBe("open");
});

test("an answer that is too long is not asked for again, and says nothing of the service", async () => {
  answer = (response) => response.end("x".repeat(100));
  for (let call = 0; call < 5; call++)
    await expect(get({ maxBytes: 10 })).rejects.toThrow("more than 10 bytes");
  expect(server.requests).toHaveLength(5);
  expect(setUp.upstream.state).toBe("closed");
});

test("a hundred answers of 400, 401 and 404 leave the breaker closed", async () => {
  for (let call = 0; call < 100; call++) {
    status([400, 401, 404][call % 3] ?? 0);
    await get();
  }
  expect(server.requests).toHaveLength(100);
  expect(setUp.seen).toEqual([]);
});

test("after two failures the answer comes all the same", async () => {
  answer = (response) => (server.requests.length < 3 ? response.writeHead(503).end() : response.end("sunny"));
  expect(await outcomeOf(get())).toMatchObject({ status: 200, body: "sunny" });
});

test("a service that does not answer in time is asked again, then left alone", async () => {
  let closed = 0;
  answer = (response) => response.on("close", () => closed++);
  const call = expect(get()).rejects.toMatchObject({ problem: "timed_out" });
  for (let attempt = 1; attempt <= 3; attempt++) {
    await until(() => server.requests.length === attempt);
    await setUp.clock.advance(4_000);
    await until(() => closed === attempt);
  }
  await call;
  expect(setUp.upstream.state).toBe("open");
  await expect(get()).rejects.toMatchObject({ problem: "breaker_open" });
  expect(server.requests).toHaveLength(3);
});

describe("the wait that the service asks for", () => {
  test.each(WAITS)("%j is kept", async (headers, waitMs) => {
    status(503, headers);
    const call = get();
    await until(() => setUp.waits.length === 1);
    await setUp.clock.advance(waitMs - 1);
    expect(server.requests).toHaveLength(1);
    status(200);
    await setUp.clock.advance(1);
    expect(await call).toMatchObject({ status: 200 });
    expect(server.requests).toHaveLength(2);
  });

  test("a longer one than the tool has left ends the call at once", async () => {
    status(429, { "retry-after": "9" });
    const { signal } = deadline(setUp.clock, 9_000, () => new Error("too late"));
    expect(await get({ signal })).toMatchObject({ status: 429 });
    expect(server.requests).toHaveLength(1);
  });
});

test("nothing is asked again after an abort", async () => {
  status(503, { "retry-after": "1" });
  const gone = new AbortController();
  const call = get({ signal: gone.signal });
  await until(() => setUp.waits.length === 1);
  gone.abort(new Error("gone"));
  await expect(call).rejects.toThrow("gone");
  await setUp.clock.advance(60_000);
  await settle();
  expect(server.requests).toHaveLength(1);
});

test("of 200 calls at once one times out, and 199 are answered", async () => {
  answer = (response, path) => path !== "/77" && response.end("sunny");
  let answered = 0;
  const calls = Array.from({ length: 200 }, async (_, index) => {
    const response = await get({ path: `/${index}` });
    answered++;
    return response;
  });
  const outcomes = Promise.allSettled(calls);
  await until(() => answered === 199);
  for (let attempt = 0; attempt < 3; attempt++) {
    await until(() => server.requests.length === 200 + attempt);
    await setUp.clock.advance(4_000);
  }
  const failed = (await outcomes).flatMap(({ status }, index) => (status === "rejected" ? [index] : []));
  expect(failed).toEqual([77]);
});
