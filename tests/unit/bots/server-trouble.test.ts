import { describe, expect, test } from "@jest/globals";
import { TwirpError, type TwirpErrorCode } from "twirp-ts";
import { Conversations, type Origin } from "../../../bots/common/conversations.ts";
import { connectTo, type ServerError, toServerError } from "../../../bots/common/server.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";

test.each([
  ["unavailable", {}, "away"],
  ["unavailable", { reason: "stopping" }, "away"],
  ["unavailable", { reason: "overloaded", retry_after: "1" }, "busy"],
  ["unavailable", { reason: "model_unavailable" }, "passing"],
  ["unauthenticated", { reason: "unauthenticated" }, "away"],
  ["permission_denied", {}, "away"],
  ["bad_route", {}, "away"],
  ["resource_exhausted", { reason: "rate_limit", retry_after: "3" }, "busy"],
  ["resource_exhausted", {}, "passing"],
  ["resource_exhausted", { reason: "model_queue_full", retry_after: "1" }, "passing"],
  ["aborted", {}, "passing"],
  ["internal", {}, "passing"],
  ["deadline_exceeded", {}, "final"],
  ["invalid_argument", { argument: "message" }, "final"],
  ["failed_precondition", { reason: "model_filtered" }, "final"],
])("%s %j is %s", (code, meta: Record<string, string>, trouble) => {
  const error = new TwirpError(code as TwirpErrorCode, "msg");
  for (const [key, value] of Object.entries(meta)) error.withMeta(key, value);
  expect(toServerError(error)).toMatchObject({ trouble, waitMs: 1000 * Number(meta.retry_after ?? 0) });
});

describe("a message", () => {
  let server: LocalServer;
  const origin: Origin = {
    platform: "telegram",
    botId: "7",
    eventId: "9",
    userId: "1",
    chatId: "2",
    timezone: "",
    locale: "",
  };
  const answer = '{"reply":"Hi","conversation_id":"1","title":"T"}';

  /** What comes of a message when the server gives these answers, the last of them for ever. */
  async function reply(...answers: (string | [status: number, body: string])[]) {
    const tries: (ServerError | undefined)[] = [];
    let count = 0;
    let notices = 0;
    server = await localServer((_url, response) => {
      const given = answers[Math.min(count++, answers.length - 1)] ?? "";
      const [status, body] = typeof given === "string" ? [200, given] : given;
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
    const conversations = new Conversations({
      client: connectTo({ url: `${server.url}/`, apiKey: "key" }),
      signal: new AbortController().signal,
      pace: { firstMs: 1, maxMs: 2 },
      onTry: (error) => tries.push(error),
    });
    try {
      const result = await conversations
        .reply(origin, "Hello", async () => void notices++)
        .catch((error: ServerError) => error.code);
      return { result, tries: tries.map((error) => error?.trouble), notices };
    } finally {
      await server.close();
    }
  }
  const error = (code: string, meta = {}) => JSON.stringify({ code, msg: "m", meta });

  test("waits for a server that is away, and the person is told once", async () => {
    const away = Array(5).fill([502, "<html>Bad gateway</html>"]);
    expect(await reply(...away, answer)).toEqual({
      result: "Hi",
      tries: [...Array(5).fill("away"), undefined],
      notices: 1,
    });
  });

  test("that finds the server away for a moment says nothing of it", async () => {
    expect(await reply([503, error("unavailable")], answer)).toMatchObject({ result: "Hi", notices: 0 });
  });

  test("waits for a key that is wrong to be mended", async () => {
    const result = await reply([401, error("unauthenticated")], "<html>Another server</html>", "[]", answer);
    expect(result.tries).toEqual(["away", "away", "away", undefined]);
  });

  test("is given up after some tries when the model is away, and at once when that takes long", async () => {
    const passing = error("unavailable", { reason: "model_unavailable" });
    expect(await reply([503, passing])).toMatchObject({
      result: "unavailable",
      tries: Array(4).fill("passing"),
    });
    const long = error("unavailable", { reason: "model_overloaded", retry_after: "60" });
    expect((await reply([503, long])).tries).toEqual(["passing"]);
  });

  test("is not sent again when that would not help", async () => {
    expect((await reply([400, error("invalid_argument")])).tries).toEqual(["final"]);
  });
});
