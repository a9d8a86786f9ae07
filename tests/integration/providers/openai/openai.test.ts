import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { errors } from "undici";
import { AppError } from "../../../../src/core/errors.ts";
import type { ModelRequest } from "../../../../src/core/model/language-model.ts";
import type { StreamingClient } from "../../../../src/net/http-client.ts";
import { createOpenAIModel, type OpenAIModelOptions } from "../../../../src/providers/openai/index.ts";
import { Aimock, type Reply } from "../../../support/aimock.ts";
import { localServer } from "../../../support/local-server.ts";
import { eventsOf, type ModelEvent, textOf } from "../../../support/model-events.ts";
import { localOutbound, outboundAllowing } from "../../../support/outbound.ts";
import { chunk, refusal, usageChunk } from "../../../support/raw-sse.ts";

const KEY = "sk-secret-0123456789";
const NEVER = new AbortController().signal;
const QUESTION: ModelRequest = {
  operation: "reply",
  messages: [{ role: "user", content: "Is it warm in Bern or in Rome?" }],
  tools: [],
  locale: "en",
};

const outbound = localOutbound();

let aimock: Aimock;
beforeAll(async () => {
  aimock = await Aimock.start();
});
afterEach(() => expect(aimock.unused).toBe(0));
afterAll(() => aimock.close());

function model(options: Partial<OpenAIModelOptions> = {}) {
  return createOpenAIModel({
    apiKey: KEY,
    model: "gpt-5-mini",
    baseUrl: aimock.baseUrl,
    http: outbound.streaming,
    ...options,
  });
}

function ask(reply: Reply, request = QUESTION): Promise<ModelEvent[]> {
  aimock.script(reply);
  return eventsOf(model(), request);
}

/** The way out, which takes down what is sent; or that fails. */
function recording(failure?: Error) {
  const urls: string[] = [];
  const headers: object[] = [];
  const http: StreamingClient = {
    async post(url, options) {
      urls.push(url.href);
      headers.push(options.headers);
      if (failure) throw failure;
      return outbound.streaming.post(url, options);
    },
  };
  return { http, urls, headers };
}

/** The answer's text, and its other events. */
function summary(events: readonly ModelEvent[]) {
  return {
    text: textOf(events),
    rest: events.filter((event) => event.type !== "text"),
  };
}

describe("answers", () => {
  test("text", async () => {
    const events = await ask({
      text: "It is warm in Rome, and cold in Bern.",
      usage: { prompt_tokens: 12, completion_tokens: 9 },
    });
    expect(events.length).toBeGreaterThan(2);
    expect(summary(events)).toEqual({
      text: "It is warm in Rome, and cold in Bern.",
      rest: [
        {
          type: "finish",
          reason: "stop",
          usage: { inputTokens: 12, outputTokens: 9 },
        },
      ],
    });
  });

  test("each chunk is a sign of life, also one that says nothing", async () => {
    let signs = 0;
    const thoughts = Array.from({ length: 5 }, () => chunk({ reasoning_content: "Hm." }));
    const raw = [...thoughts, chunk({ content: "Hi" }), chunk({}, "stop")];
    await ask({ raw }, { ...QUESTION, onProgress: () => signs++ });
    expect(signs).toBe(7);
  });

  test("cached and reasoning tokens", async () => {
    const usage = {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920 },
      completion_tokens_details: { reasoning_tokens: 256 },
    };
    const events = await ask({ raw: [chunk({ content: "Hi" }), chunk({}, "stop"), usageChunk(usage)] });
    expect(events.at(-1)).toEqual({
      type: "finish",
      reason: "stop",
      usage: { inputTokens: 2006, outputTokens: 300, cachedInputTokens: 1920, reasoningTokens: 256 },
    });
  });

  test("parallel tool calls, malformed arguments included", async () => {
    const events = await ask({
      text: "Let me look.",
      toolCalls: [
        { id: "call_a", name: "get_weather", arguments: { location: "Bern", days: 7 } },
        { id: "call_b", name: "no_such_tool", arguments: '{"location":' },
      ],
    });
    expect(summary(events)).toMatchObject({
      text: "Let me look.",
      rest: [
        { call: { id: "call_a", name: "get_weather", arguments: '{"location":"Bern","days":7}' } },
        { call: { id: "call_b", name: "no_such_tool", arguments: '{"location":' } },
        { type: "finish", reason: "tool_calls" },
      ],
    });
  });

  test("tool calls with finish_reason stop", async () => {
    const events = await ask({ toolCalls: [{ name: "now", arguments: {} }], finishReason: "stop" });
    expect(events.at(-1)).toMatchObject({ reason: "tool_calls" });
  });

  test("ids made for calls that come without: unique in the answer and among answers, the same again", async () => {
    const call = { index: 0, function: { name: "now", arguments: "{}" } };
    const reply = { raw: [chunk({ tool_calls: [call, call] }), chunk({}, "stop")] };
    const later = { ...QUESTION, messages: [...QUESTION.messages, ...QUESTION.messages] };
    const ids = async (request: ModelRequest) =>
      (await ask(reply, request)).flatMap((event) => (event.type === "tool_call" ? [event.call.id] : []));
    const first = await ids(QUESTION);
    expect(first).toHaveLength(2);
    expect(new Set([...first, ...(await ids(later))]).size).toBe(4);
    expect(await ids(QUESTION)).toEqual(first);
  });

  test("a refusal is the answer", async () => {
    expect(summary(await ask(refusal("I can't help with that.")))).toEqual({
      text: "I can't help with that.",
      rest: [{ type: "finish", reason: "stop" }],
    });
  });

  test.each(["length", "content_filter"])("finish_reason %s", async (reason) => {
    const events = await ask({ text: "It is", finishReason: reason });
    expect(summary(events)).toMatchObject({ text: "It is", rest: [{ type: "finish", reason }] });
  });

  test("an empty answer is an answer", async () => {
    expect(await ask({ text: "" })).toMatchObject([{ type: "finish", reason: "stop" }]);
  });

  test("comments, CRLF and a missing [DONE] are no fault", async () => {
    const last = JSON.stringify(chunk({}, "stop"));
    const raw = [
      ": ping\r\n\r\n",
      `data: ${JSON.stringify(chunk({ content: "Hi" }))}\r\n\r\n`,
      `data: ${last}`,
    ];
    expect(summary(await ask({ raw, ending: "end" }))).toMatchObject({
      text: "Hi",
      rest: [{ reason: "stop" }],
    });
  });
});

test("the connection stays open for the end that follows [DONE]", async () => {
  const answered = Promise.withResolvers<ServerResponse>();
  const ended: Socket[] = [];
  const server = await localServer((_url, response, { socket }) => {
    socket.once("end", () => ended.push(socket));
    response.write(`data: ${JSON.stringify(chunk({ content: "Hi" }, "stop"))}\n\ndata: [DONE]\n\n`);
    answered.resolve(response);
  });
  const ask = () => model({ baseUrl: server.url }).generate(QUESTION, NEVER);
  expect((await ask()).text).toBe("Hi");
  // Whatever the first call sent is there before a second one, over another connection.
  await ask();
  expect(ended).toEqual([]);
  (await answered.promise).end();
  await server.close();
});

test("a stream under another content type is read all the same", async () => {
  const headers = { "content-type": "text/plain" };
  expect(summary(await ask({ headers, raw: [chunk({ content: "Hi" }), chunk({}, "stop")] })).text).toBe("Hi");
});

describe("failures", () => {
  const HALF = chunk({ role: "assistant", content: "It is" });
  const OVERLOADED = { error: { message: "The engine is overloaded", type: "server_error" } };
  const stream = "text/event-stream";

  test.each<[string, Reply, string]>([
    ["disconnect in mid-stream", { text: "It is warm", disconnectAfterChunks: 2 }, "model_interrupted"],
    [
      "disconnect after tool calls",
      { toolCalls: [{ name: "now", arguments: {} }], disconnectAfterChunks: 3 },
      "model_interrupted",
    ],
    ["clean end without finish_reason", { raw: [HALF], ending: "end" }, "model_interrupted"],
    ["[DONE] without finish_reason", { raw: [HALF] }, "model_interrupted"],
    ["an empty stream", { raw: [], ending: "end" }, "model_interrupted"],
    ["error in the stream", { raw: [HALF, OVERLOADED] }, "model_interrupted"],
    [
      "error event in the stream",
      { raw: [HALF, `event: error\ndata: ${JSON.stringify(OVERLOADED)}\n\n`] },
      "model_interrupted",
    ],
    ["malformed JSON in the stream", { raw: [HALF, 'data: {"choices": [\n\n'] }, "model_interrupted"],
    ["disconnect before any answer", { raw: [], ending: "disconnect" }, "model_unavailable"],
    ["status 500", { status: 500 }, "model_unavailable"],
    ["status 503", { status: 503 }, "model_unavailable"],
    ["status 408", { status: 408 }, "model_overloaded"],
    ["status 409", { status: 409 }, "model_overloaded"],
    ["status 429", { status: 429, code: "rate_limit_exceeded" }, "model_overloaded"],
    ["no quota", { status: 429, code: "insufficient_quota" }, "model_rejected"],
    ["status 400", { status: 400 }, "model_rejected"],
    ["status 401", { status: 401 }, "model_rejected"],
    ["status 403", { status: 403 }, "model_rejected"],
    ["unknown model", { status: 404, code: "model_not_found" }, "model_rejected"],
    [
      "a web page for an error",
      { status: 502, headers: { "content-type": "text/html" }, raw: ["<html>"], ending: "end" },
      "model_unavailable",
    ],
    [
      "a web page for an answer",
      { headers: { "content-type": "text/html" }, raw: ["<html>"], ending: "end" },
      "model_rejected",
    ],
    [
      "the wrong API",
      { headers: { "content-type": "application/json" }, raw: ['{"ok":true}'], ending: "end" },
      "model_rejected",
    ],
    [
      "an end after the usage alone",
      { headers: { "content-type": stream }, raw: [usageChunk({ prompt_tokens: 1 })] },
      "model_interrupted",
    ],
  ])("%s", async (_what, reply, reason) => {
    const before = aimock.requests.length;
    await expect(ask(reply)).rejects.toMatchObject({ name: "AppError", meta: { reason } });
    expect(aimock.requests.length - before).toBe(1);
  });

  test("connection refused", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const baseUrl = `http://127.0.0.1:${(closed.address() as AddressInfo).port}/v1`;
    await new Promise((resolve) => closed.close(resolve));
    const asked = model({ baseUrl }).generate(QUESTION, NEVER);
    await expect(asked).rejects.toMatchObject({
      meta: { reason: "model_unavailable" },
      cause: { message: expect.stringContaining("ECONNREFUSED") },
    });
  });

  test.each([
    ["an unknown host", Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" })],
    ["no connection in time", new errors.ConnectTimeoutError()],
    ["no answer in time", new errors.HeadersTimeoutError()],
    ["a connection that breaks off", new errors.SocketError("other side closed")],
  ])("%s", async (_what, error) => {
    const http = { post: () => Promise.reject(error) };
    const asked = model({ http }).generate(QUESTION, NEVER);
    await expect(asked).rejects.toMatchObject({
      meta: { reason: "model_unavailable" },
      cause: { message: expect.stringContaining(error.message) },
    });
  });

  test("an address that may not be reached, and the log says the cure", async () => {
    const before = aimock.requests.length;
    const { streaming: http } = outboundAllowing([]);
    const asked = model({ http }).generate(QUESTION, NEVER);
    await expect(asked).rejects.toMatchObject({
      code: "failed_precondition",
      retryable: false,
      meta: { reason: "model_rejected" },
      cause: { message: expect.stringContaining(`add ${new URL(aimock.baseUrl).host} to OUTBOUND_ALLOW`) },
    });
    expect(aimock.requests.length).toBe(before);
  });

  test("what a broken stream held is not for the log", async () => {
    const raw = [chunk({ content: "private" }), 'data: {"private\n\n'];
    const error = await ask({ raw }).catch((caught) => caught);
    expect(error.meta).toEqual({ reason: "model_interrupted" });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain("private");
  });

  test("a redirect is not followed", async () => {
    const headers = { location: `${aimock.baseUrl}/elsewhere` };
    await expect(ask({ status: 307, headers, raw: [], ending: "end" })).rejects.toMatchObject({
      meta: { reason: "model_rejected" },
    });
  });

  test("the wait that the server asks for is in the error", async () => {
    await expect(ask({ status: 429, retryAfterSeconds: 7 })).rejects.toMatchObject({
      retryAfterMs: 7_000,
      meta: { reason: "model_overloaded", retry_after: "7" },
    });
    const headers = { "content-type": "application/json", "retry-after-ms": "250" };
    await expect(ask({ status: 503, headers, raw: ["{}"], ending: "end" })).rejects.toMatchObject({
      retryAfterMs: 250,
      meta: { reason: "model_unavailable", retry_after: "1" },
    });
  });

  test("the key is in no error, although the server repeats it", async () => {
    const error = await ask({ status: 401, message: `Incorrect API key provided: ${KEY}` }).catch((e) => e);
    expect(error.publicMessage).toContain("rejected");
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(KEY);
    expect(`${error} ${error.stack} ${JSON.stringify(error)}`).not.toContain(KEY);
  });

  test("the next request goes through", async () => {
    await expect(ask({ text: "It is", disconnectAfterChunks: 1 })).rejects.toThrow();
    expect(summary(await ask({ text: "Warm." })).text).toBe("Warm.");
  });
});

describe("abort", () => {
  test("before the call: nothing is sent", async () => {
    const before = aimock.requests.length;
    const reason = new Error("too late");
    await expect(model().generate(QUESTION, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(aimock.requests.length).toBe(before);
  });

  test("while the server is silent: the socket closes", async () => {
    aimock.script({ raw: [], ending: "hang" });
    const abort = new AbortController();
    const reason = new Error("the turn is over");
    const asked = model().generate(QUESTION, abort.signal);
    const received = await aimock.request(aimock.requests.length);
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await expect(received.outcome).resolves.toBe("broken");
  });

  test("in mid-answer: the socket closes", async () => {
    aimock.script({ raw: [chunk({ content: "It is" })], ending: "hang" });
    const abort = new AbortController();
    const reason = new Error("the turn is over");
    const onText = (part: string) => {
      expect(part).toBe("It is");
      abort.abort(reason);
    };
    await expect(model().generate({ ...QUESTION, onText }, abort.signal)).rejects.toBe(reason);
    await expect(aimock.requests.at(-1)?.outcome).resolves.toBe("broken");
  });

  test("a reader who has enough closes the socket, too", async () => {
    aimock.script({ raw: [chunk({ content: "It is" })], ending: "hang" });
    const enough = new AppError("unavailable", "Enough.");
    const onText = () => {
      throw enough;
    };
    await expect(model().generate({ ...QUESTION, onText }, NEVER)).rejects.toBe(enough);
    await expect(aimock.requests.at(-1)?.outcome).resolves.toBe("broken");
  });
});

describe("requests", () => {
  test("hold the key, the model and the tools", async () => {
    aimock.script({ text: "Hi" });
    const { http, urls } = recording();
    const tool = { name: "now", description: "The time.", parameters: { type: "object" } };
    const asked = model({ http, maxOutputTokens: 9 });
    await asked.generate({ ...QUESTION, tools: [tool] }, NEVER);
    expect(asked).toMatchObject({ provider: "openai", model: "gpt-5-mini" });
    expect(urls).toEqual([`${aimock.baseUrl}/chat/completions`]);
    expect(aimock.requests.at(-1)).toMatchObject({
      headers: { authorization: `Bearer ${KEY}` },
      body: {
        model: "gpt-5-mini",
        messages: QUESTION.messages,
        tools: [{ type: "function", function: tool }],
        max_tokens: 9,
        stream: true,
        stream_options: { include_usage: true },
      },
    });
  });

  test.each([
    ["http://localhost:11434/v1", "http://localhost:11434/v1/chat/completions"],
    ["http://localhost:11434/v1/", "http://localhost:11434/v1/chat/completions"],
    ["https://models.test", "https://models.test/chat/completions"],
    ["https://me.test/openai/v1?api-version=1", "https://me.test/openai/v1/chat/completions?api-version=1"],
    ["https://models.test/v1/#top", "https://models.test/v1/chat/completions"],
  ])("for the base URL %s go to %s", async (baseUrl, url) => {
    const { http, urls } = recording(new Error("Not sent"));
    await expect(model({ http, baseUrl }).generate(QUESTION, NEVER)).rejects.toThrow();
    expect(urls).toEqual([url]);
  });

  test("go to OpenAI when no base URL is given, whatever the environment says", async () => {
    const environment = process.env;
    process.env = {
      ...environment,
      OPENAI_BASE_URL: aimock.baseUrl,
      OPENAI_ORG_ID: "org",
      OPENAI_PROJECT_ID: "p",
    };
    try {
      const { http, urls, headers } = recording(new Error("Not sent"));
      const openai = createOpenAIModel({ apiKey: KEY, model: "m", http });
      await expect(openai.generate(QUESTION, NEVER)).rejects.toThrow();
      expect(urls).toEqual(["https://api.openai.com/v1/chat/completions"]);
      expect(headers).toEqual([
        {
          accept: "application/json",
          authorization: `Bearer ${KEY}`,
          "content-type": "application/json",
        },
      ]);
    } finally {
      process.env = environment;
    }
  });
});
