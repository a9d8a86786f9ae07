import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Aimock, type Reply } from "../support/aimock.ts";
import { startTestApp } from "../support/app.ts";
import { refusal } from "../support/raw-sse.ts";
import { callJson } from "../support/twirp.ts";

interface Message {
  role: string;
  content: string;
  tool_calls: { name: string; arguments: string; result?: string; error?: string }[];
}

const KEY = "sk-the-secret-key";

let model: Aimock;
let app: Awaited<ReturnType<typeof startTestApp>>;

beforeAll(async () => {
  model = await Aimock.start();
  model.always((request) => request.tools === undefined && request.messages.length === 2, {
    text: '"Subject of the talk"',
  });
  app = await startTestApp({
    OPENAI_BASE_URL: model.baseUrl,
    OPENAI_MODEL: "gpt-test",
    OPENAI_API_KEY: KEY,
    // Each fault is to be seen as it is.
    RETRY_MAX_ATTEMPTS: "1",
  });
});
afterAll(async () => {
  await app.stop();
  await model.close();
});

const now = { name: "get_datetime", arguments: { timezone: "Asia/Tokyo" } };
const leap = { name: "date_math", arguments: { operation: "weekday", date: "2024-02-29" } };

async function start(message: string) {
  return callJson<{ conversation_id: string; title: string; reply: string }>(app.url, "StartConversation", {
    message,
  });
}

async function messagesOf(conversationId: string): Promise<Message[]> {
  const { body } = await callJson<{ conversation: { messages: Message[] } }>(
    app.url,
    "DescribeConversation",
    { conversation_id: conversationId },
  );
  return body.conversation.messages;
}

/** What the model is shown of a turn: roles, words and calls. */
function shown(position: number) {
  const request = model.requests.filter(({ body }) => body.tools)[position];
  return request?.body.messages.slice(1).map(({ role, content, tool_calls }) => ({
    role,
    content,
    calls: tool_calls?.map((call) => [call.function.name, call.function.arguments]),
  }));
}

interface Case {
  what: string;
  script: Reply[];
  /** The reply, or the error's code and reason. */
  outcome: { reply: string } | { code: string; status: number; reason: string };
  calls?: { name: string; result?: unknown; error?: unknown }[];
}

const CASES: Case[] = [
  {
    what: "a tool call",
    script: [{ toolCalls: [now] }, { text: "It is late in Tokyo." }],
    outcome: { reply: "It is late in Tokyo." },
    calls: [{ name: "get_datetime", result: expect.stringContaining('"timezone":"Asia/Tokyo"') }],
  },
  {
    what: "parallel tool calls",
    script: [{ toolCalls: [now, leap] }, { text: "Late, and a Thursday." }],
    outcome: { reply: "Late, and a Thursday." },
    calls: [
      { name: "get_datetime", result: expect.stringContaining("Asia/Tokyo") },
      { name: "date_math", result: expect.stringContaining("Thursday") },
    ],
  },
  {
    what: "an unknown tool",
    script: [{ toolCalls: [{ name: "launch_rocket", arguments: {} }] }, { text: "I can't do that." }],
    outcome: { reply: "I can't do that." },
    calls: [
      { name: "launch_rocket", error: expect.stringContaining("There is no tool named launch_rocket") },
    ],
  },
  {
    what: "malformed arguments",
    script: [
      { toolCalls: [{ name: "date_math", arguments: '{"operation": "weekday", ' }] },
      { toolCalls: [leap] },
      { text: "A Thursday." },
    ],
    outcome: { reply: "A Thursday." },
    calls: [
      { name: "date_math", error: expect.stringContaining("not valid JSON") },
      { name: "date_math", result: expect.stringContaining("Thursday") },
    ],
  },
  {
    what: "arguments that do not fit the schema",
    script: [{ toolCalls: [{ name: "date_math", arguments: { operation: "guess" } }] }, { text: "Sorry." }],
    outcome: { reply: "Sorry." },
    calls: [{ name: "date_math", error: expect.stringContaining("operation") }],
  },
  {
    what: "a tool that fails",
    script: [
      { toolCalls: [{ name: "get_weather", arguments: { location: "Lisbon" } }] },
      { text: "No weather now." },
    ],
    outcome: { reply: "No weather now." },
    calls: [{ name: "get_weather", error: expect.stringContaining("can't be reached") }],
  },
  {
    what: "a refusal",
    script: [refusal("I can't help with that.")],
    outcome: { reply: "I can't help with that." },
  },
  {
    what: "an empty reply",
    script: [{ text: "" }],
    outcome: { code: "unavailable", status: 503, reason: "model_empty" },
  },
  {
    what: "a length cut",
    script: [{ text: "It is a long story that", finishReason: "length" }],
    outcome: { code: "failed_precondition", status: 412, reason: "model_length" },
  },
  {
    what: "a content filter",
    script: [{ text: "", finishReason: "content_filter" }],
    outcome: { code: "failed_precondition", status: 412, reason: "model_filtered" },
  },
  {
    what: "a 500",
    script: [{ status: 500 }],
    outcome: { code: "unavailable", status: 503, reason: "model_unavailable" },
  },
  {
    what: "a 500 after a tool call",
    script: [{ toolCalls: [now] }, { status: 500 }],
    outcome: { code: "unavailable", status: 503, reason: "model_unavailable" },
  },
  {
    what: "a rate limit",
    script: [{ status: 429 }],
    outcome: { code: "unavailable", status: 503, reason: "model_overloaded" },
  },
  {
    what: "a wrong key",
    script: [{ status: 401, message: `Incorrect API key provided: ${KEY}` }],
    outcome: { code: "failed_precondition", status: 412, reason: "model_rejected" },
  },
  {
    what: "a disconnect in mid-stream",
    script: [{ text: "It is sunny in Lisbon and in Porto, with some wind.", disconnectAfterChunks: 2 }],
    outcome: { code: "unavailable", status: 503, reason: "model_interrupted" },
  },
];

describe.each(CASES)("$what", ({ script, outcome, calls = [] }) => {
  test("has its outcome, is stored as such, and the next turn works", async () => {
    const first = model.requests.filter(({ body }) => body.tools).length;
    // A conversation with a past, so that an error has an id to look at.
    model.script({ text: "Hello." }, ...script, { text: "And on we go." });
    const { body: opened } = await start("Hi");
    const id = opened.conversation_id;
    const answer = await callJson<{ reply: string }>(app.url, "ContinueConversation", {
      conversation_id: id,
      message: "The question",
    });
    const stored = (await messagesOf(id)).slice(2);

    if ("reply" in outcome) {
      expect(answer).toMatchObject({ status: 200, body: { reply: outcome.reply } });
      expect(stored).toMatchObject([
        { role: "USER", content: "The question", tool_calls: [] },
        { role: "ASSISTANT", content: outcome.reply, tool_calls: calls },
      ]);
      expect(stored[1]?.tool_calls).toHaveLength(calls.length);
    } else {
      expect(answer).toMatchObject({
        status: outcome.status,
        body: { code: outcome.code, meta: { reason: outcome.reason, conversation_id: id } },
      });
      expect(stored).toMatchObject([{ role: "USER", content: "The question" }]);
    }

    const next = await callJson<{ reply: string }>(app.url, "ContinueConversation", {
      conversation_id: id,
      message: "Go on",
    });
    expect(next).toMatchObject({ status: 200, body: { reply: "And on we go." } });
    expect(model.unused).toBe(0);

    const seen = shown(first + 1 + script.length) ?? [];
    expect(seen[0]).toMatchObject({ role: "user", content: "Hi" });
    expect(seen.at(-1)).toMatchObject({ role: "user", content: "Go on" });
    const made = seen.flatMap((message) => message.calls ?? []);
    expect(made.map(([name]) => name)).toEqual("reply" in outcome ? calls.map(({ name }) => name) : []);
    expect(seen.filter(({ role }) => role === "tool")).toHaveLength(made.length);
    for (const [, args] of made) expect(() => JSON.parse(args ?? "")).not.toThrow();
  });
});

test("the first message gets a title from the model, and the reply does not carry it", async () => {
  model.script({ text: "Hello." });
  const { body } = await start("Tell me of the sea");
  expect(body).toMatchObject({ title: "Subject of the talk", reply: "Hello." });
});

test("the key goes to the model, and never into the log", () => {
  expect(model.requests[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
  const logged = inspect(app.log.lines, {
    depth: Number.POSITIVE_INFINITY,
    maxArrayLength: Number.POSITIVE_INFINITY,
    showHidden: true,
  });
  expect(logged).toContain("Incorrect API key provided");
  expect(logged).not.toContain(KEY);
});
