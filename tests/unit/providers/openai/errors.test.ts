import { inspect } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { AddressNotAllowedError, ResponseTooLargeError } from "../../../../src/net/http-client.ts";
import { brokenOff, failed, unanswered } from "../../../../src/providers/openai/errors.ts";

const KEY = "sk-secret-0123456789";

function status(code: number, error: object = { message: "No." }, headers: Record<string, string> = {}) {
  return failed({ status: code, headers }, JSON.stringify({ error }), KEY);
}

describe("kinds", () => {
  test.each([
    [400, "model_rejected"],
    [401, "model_rejected"],
    [403, "model_rejected"],
    [404, "model_rejected"],
    [413, "model_rejected"],
    [422, "model_rejected"],
    [408, "model_overloaded"],
    [409, "model_overloaded"],
    [429, "model_overloaded"],
    [500, "model_unavailable"],
    [503, "model_unavailable"],
    [529, "model_unavailable"],
  ])("status %d is %s", (code, reason) => {
    const error = status(code);
    expect(error.meta).toEqual({ reason });
    expect(error.retryable).toBe(reason !== "model_rejected");
  });

  test.each([
    { code: "insufficient_quota" },
    { type: "insufficient_quota", code: null },
    { code: "billing_not_active" },
  ])("status 429 with %j is model_rejected", (error) => {
    expect(status(429, error)).toMatchObject({ retryable: false, meta: { reason: "model_rejected" } });
  });

  test.each([new Error("connect ECONNREFUSED"), new TypeError("terminated"), "terminated"])(
    "%s instead of an answer, and within it",
    (error) => {
      const code = "unavailable";
      expect(unanswered(error, KEY)).toMatchObject({ code, meta: { reason: "model_unavailable" } });
      expect(brokenOff(error, KEY)).toMatchObject({ code, meta: { reason: "model_interrupted" } });
    },
  );
});

test.each([
  ["an address", unanswered(new AddressNotAllowedError("No."), KEY)],
  ["an answer", brokenOff(new ResponseTooLargeError("No."), KEY)],
])("%s that this server refuses is not asked for again", (_what, error) => {
  expect(error).toMatchObject({ retryable: false, meta: { reason: "model_rejected" } });
});

describe("the wait that the server asks for", () => {
  const date = "Wed, 21 Oct 2026 07:28:00 GMT";

  test.each<[Record<string, string>, number | undefined]>([
    [{ "retry-after": "2" }, 2000],
    [{ "retry-after": "1.5" }, 1500],
    [{ "retry-after-ms": "70.2", "retry-after": "1" }, 71],
    [{ "retry-after-ms": "soon", "retry-after": "1" }, 1000],
    [{ "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", date }, 30000],
    [{ "retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", date }, undefined],
    [{ "retry-after": date }, undefined],
    [{ "retry-after": "-1" }, undefined],
    [{ "retry-after": "" }, undefined],
    [{}, undefined],
  ])("%j", (headers, wait) => {
    expect(status(503, {}, headers).retryAfterMs).toBe(wait);
  });
});

describe("what the log sees", () => {
  test("the provider's words, the status and the request id", () => {
    const error = status(404, { message: "No such model." }, { "x-request-id": "req_1" });
    expect(error.cause).toMatchObject({ message: "404 No such model.", status: 404, requestId: "req_1" });
  });

  test.each([
    ["what OpenAI sends", '{"error":{"message":"No such model.","type":"x"}}', "404 No such model."],
    ["a text for an error, as Ollama sends", '{"error":"model not found"}', "404 model not found"],
    ["an error without a cover, as vLLM sends", '{"object":"error","message":"No."}', "404 No."],
    ["an error without a message", '{"error":{"code":7}}', '404 {"code":7}'],
    ["a text", "Not here", "404 Not here"],
    ["nothing", "", "404 without a word"],
    ["null", "null", "404 null"],
  ])("the words of %s", (_what, body, message) => {
    expect(failed({ status: 404, headers: {} }, body, KEY).cause).toMatchObject({ message });
  });

  test("why a connection failed", () => {
    const refused = new Error("connect ECONNREFUSED 127.0.0.1:1");
    expect(unanswered(new TypeError("fetch failed", { cause: refused }), KEY).cause).toMatchObject({
      message: "fetch failed connect ECONNREFUSED 127.0.0.1:1",
    });
  });

  test("why each address of a host failed", () => {
    const cause = new AggregateError([new Error("connect ECONNREFUSED ::1:1"), new Error("and 127.0.0.1:1")]);
    expect(unanswered(cause, KEY).cause).toMatchObject({
      message: "connect ECONNREFUSED ::1:1, and 127.0.0.1:1",
    });
  });

  test("not a whole web page", () => {
    expect(String(status(502, { message: "<html>".repeat(1000) }).cause).length).toBeLessThan(600);
  });

  test("never the key, however closely one looks", () => {
    const error = status(401, { message: `Incorrect API key provided: ${KEY}.` }, { "x-echo": KEY });
    expect(String(error)).not.toContain(KEY);
    expect(JSON.stringify(error)).not.toContain(KEY);
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(KEY);
    expect(String(error.cause)).toContain("Incorrect API key provided: [API key].");
  });

  test("never a part of the key that the cut would leave", () => {
    const error = status(401, { message: "x".repeat(490) + KEY });
    expect(inspect(error, { depth: null })).not.toContain(KEY.slice(0, 6));
  });
});
