import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Aimock } from "../support/aimock.ts";
import { eventually } from "../support/eventually.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

const KEY = "0123456789abcdef-log";
const SAID = ["canary-message", "canary-argument", "canary-reply", "canary-title"];

let model: Aimock;
let server: RunningServer;

const ask = (message: string, headers: Record<string, string> = {}) =>
  callJson<{ conversation_id: string }>(
    server.url,
    "StartConversation",
    { message },
    { authorization: `Bearer ${KEY}`, ...headers },
  );
/** The lines of a request, as soon as its last one has come. */
async function linesOf(requestId: string): Promise<(message: string) => Record<string, unknown>[]> {
  const own = () =>
    server.log
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter(({ request_id }) => request_id === requestId);
  await eventually(() => own().some(({ msg }) => msg === "Request"));
  return (message) => own().filter(({ msg }) => msg === message);
}

beforeAll(async () => {
  model = await Aimock.start();
  model.always(({ messages }) => messages[0]?.content?.startsWith("Name the subject") ?? false, {
    text: "canary-title",
  });
  server = await startServer({
    env: { API_KEYS: `ops:${KEY}`, OPENAI_BASE_URL: model.baseUrl, OPENAI_MODEL: "gpt-5-mini" },
  });
});

afterAll(async () => {
  await server.stop();
  await model.close();
});

test("a request is one line, and so is its turn", async () => {
  model.script(
    {
      toolCalls: [{ name: "get_datetime", arguments: { timezone: "canary-argument" } }],
      usage: { prompt_tokens: 10, completion_tokens: 2 },
    },
    { text: "canary-reply", usage: { prompt_tokens: 20, completion_tokens: 3 } },
  );
  const { body } = await ask("canary-message", { "x-request-id": "my-request" });
  const lines = await linesOf("my-request");
  const aNumber = expect.any(Number);
  const ids = { request_id: "my-request", level: 30, time: aNumber };
  expect(lines("Request")).toEqual([
    {
      ...ids,
      method: "POST",
      path: "/twirp/acai.chat.ChatService/StartConversation",
      status: 200,
      duration_ms: aNumber,
      principal: "ops",
      msg: "Request",
    },
  ]);
  expect(lines("Turn")).toEqual([
    {
      ...ids,
      conversation_id: body.conversation_id,
      turn_id: expect.any(String),
      outcome: "completed",
      steps: 2,
      tool_calls: 1,
      input_tokens: 30,
      output_tokens: 5,
      model_ms: aNumber,
      tool_ms: aNumber,
      duration_ms: aNumber,
      msg: "Turn",
    },
  ]);
});

test("a turn that fails tells why, by the same ids", async () => {
  model.script({ status: 401, message: "No such key." });
  expect(await ask("canary-message", { "x-request-id": "failing" })).toMatchObject({ status: 412 });
  const lines = await linesOf("failing");
  const [turn] = lines("Turn");
  expect(turn).toMatchObject({ outcome: "failed", reason: "model_rejected", steps: 0 });
  const { conversation_id, turn_id } = turn ?? {};
  expect(lines("A turn failed")).toMatchObject([
    { level: 40, conversation_id, turn_id, err: { reason: "model_rejected", cause: { status: 401 } } },
  ]);
});

test("what was said is in no line", async () => {
  model.script({ toolCalls: [{ name: "canary-argument", arguments: "{canary-argument" }] }, { text: "" });
  expect(await ask("canary-message")).toMatchObject({ status: 503 });
  const malformed = await fetch(
    `${server.url}/twirp/acai.chat.ChatService/StartConversation?q=canary-message`,
    {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: '{"message": canary-message',
    },
  );
  expect(malformed.status).toBe(400);
  await fetch(`${server.url}/canary-message`, {
    headers: { authorization: `Bearer ${KEY}`, "x-request-id": "last" },
  });
  expect((await linesOf("last"))("Request")).toHaveLength(1);
  for (const said of SAID) expect(server.log.join("\n")).not.toContain(said);
});
