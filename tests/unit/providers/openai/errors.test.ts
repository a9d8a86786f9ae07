import { inspect } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { AddressNotAllowedError, ResponseTooLargeError } from "../../../../src/net/http-client.ts";
import { BadStream, brokenOff, failed, unanswered } from "../../../../src/providers/openai/errors.ts";

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
  test("the status, the name of the error, the request id, and the provider's words by themselves", () => {
    const refusal = { message: "No model 'x'.", code: "model_not_found" };
    const error = status(404, refusal, { "x-request-id": "req_1" });
    expect(error.cause).toMatchObject({
      message: "Status 404: model_not_found",
      status: 404,
      requestId: "req_1",
      words: "404 No model 'x'.",
    });
  });

  test.each([
    ["a status", status(500, { message: "So" }), "Status 500"],
    ["no name that is one", status(500, { code: "You said so" }), "Status 500"],
    [
      "an error in the stream",
      brokenOff(BadStream.withError({ type: "server_error", message: "So" }), KEY),
      "An error in the stream: server_error",
    ],
    [
      "malformed JSON",
      brokenOff(new SyntaxError("Unexpected token 'S', \"So\""), KEY),
      "The stream broke off: SyntaxError",
    ],
    [
      "a broken connection",
      brokenOff(Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" }), KEY),
      "other side closed",
    ],
    ["anything else that is thrown", brokenOff("So", KEY), "The stream broke off: string"],
  ])("of %s nothing that may be a user's words", (_what, error, message) => {
    expect(error.cause).toMatchObject({ message });
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
    expect(failed({ status: 404, headers: {} }, body, KEY).cause).toMatchObject({ words: message });
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
    const error = status(502, { message: "<html>".repeat(1000) });
    expect(inspect(error.cause).length).toBeLessThan(4_000);
  });

  test("never the key, however closely one looks", () => {
    const error = status(401, { message: `Incorrect API key provided: ${KEY}.` }, { "x-request-id": KEY });
    expect(String(error)).not.toContain(KEY);
    expect(JSON.stringify(error)).not.toContain(KEY);
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(KEY);
    expect(error.cause).toMatchObject({ words: "401 Incorrect API key provided: [API key]." });
  });

  test("never a part of the key that the cut would leave", () => {
    const error = status(401, { message: "x".repeat(490) + KEY });
    expect(inspect(error, { depth: null })).not.toContain(KEY.slice(0, 6));
  });
});
