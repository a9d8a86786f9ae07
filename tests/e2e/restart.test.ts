import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runCli } from "../support/cli.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

const QUESTION = "What is the weather in Barcelona, and which holidays are next there?";

let dataDir: string;
let server: RunningServer;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "parley data ")); // with a space in it
  server = await startServer({ dataDir });
});
afterAll(async () => {
  await server.stop();
  await rm(dataDir, { recursive: true });
});

interface Described {
  conversation: { messages: { role: string; content: string; tool_calls: { name: string }[] }[] };
}

test("a conversation made with tools is still there after kill -9, and goes on in its session", async () => {
  const session_metadata = { platform: "test", user_id: "1", chat_id: "2" };
  const started = await callJson<{ conversation_id: string; title: string; reply: string }>(
    server.url,
    "StartConversation",
    { message: QUESTION, session_metadata },
  );
  expect(started).toMatchObject({ status: 200, body: { title: "Weather and holidays in Barcelona" } });
  const { conversation_id, reply } = started.body;
  const before = await callJson<Described>(server.url, "DescribeConversation", { conversation_id });
  expect(before.body.conversation.messages).toMatchObject([
    { role: "USER", content: QUESTION },
    {
      role: "ASSISTANT",
      content: reply,
      tool_calls: [{ name: "get_weather" }, { name: "get_holidays", result: expect.stringContaining("CT") }],
    },
  ]);

  await server.kill("SIGKILL");
  server = await startServer({ dataDir });

  const after = await callJson<Described>(server.url, "DescribeConversation", { conversation_id });
  expect(after).toEqual(before);
  const list = await callJson<{ conversations: object[] }>(server.url, "ListConversations", {});
  expect(list.body.conversations).toMatchObject([{ id: conversation_id, message_count: 2 }]);
  const shown = await runCli(["show", conversation_id], { url: server.url });
  expect(shown.stdout).toContain(QUESTION);
  expect(shown.stdout).toContain(reply.split("\n").at(-1));

  const next = await callJson(server.url, "ContinueConversation", {
    message: "and holidays in Lisbon?",
    session_metadata,
  });
  expect(next).toMatchObject({
    status: 200,
    body: { conversation_id, reply: expect.stringContaining("Portugal") },
  });
});

test("SIGTERM ends the server with exit code 0, and new requests find nobody", async () => {
  const ended = await server.kill("SIGTERM");
  expect(ended).toEqual({ code: 0, signal: null });
  await expect(fetch(`${server.url}/health`)).rejects.toThrow();
  server = await startServer({ dataDir });
});

test("two servers on one file share a session", async () => {
  const other = await startServer({ dataDir });
  const session_metadata = { platform: "test", user_id: "9", chat_id: "9" };
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      callJson<{ conversation_id: string }>((index % 2 === 0 ? server : other).url, "ContinueConversation", {
        message: `What day is it? (${index})`,
        session_metadata,
      }),
    ),
  );
  await other.stop();
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  expect(new Set(answers.map(({ body }) => body.conversation_id)).size).toBe(1);
});

test("wrong configuration is told all at once, with exit code 2", async () => {
  const failure = startServer({ dataDir, env: { PORT: "http", LOG_LEVEL: "loud" } });
  await expect(failure).rejects.toThrow(/PORT: [\s\S]*LOG_LEVEL: /);
});

test("a port in use is told with the cure", async () => {
  const port = new URL(server.url).port;
  const failure = startServer({ dataDir, env: { PORT: port } });
  await expect(failure).rejects.toThrow("set PORT to another port");
});

test("a server that other machines would reach without a key does not start, and says what to do", async () => {
  const failure = startServer({ dataDir, env: { HOST: "0.0.0.0" } });
  await expect(failure).rejects.toThrow(/HOST=0\.0\.0\.0[\s\S]*API_KEYS=[\s\S]*ALLOW_ANONYMOUS=true/);
});
