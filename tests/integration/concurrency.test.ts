import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTestApp } from "../support/app.ts";
import { ScriptedModel, says } from "../support/scripted-model.ts";
import { callJson } from "../support/twirp.ts";

interface Reply {
  conversation_id: string;
  reply: string;
  title: string;
}

let app: Awaited<ReturnType<typeof startTestApp>>;
let model: ScriptedModel;

beforeEach(async () => {
  model = new ScriptedModel();
  app = await startTestApp({}, { model });
});
afterEach(() => app.stop());

const session_metadata = { platform: "telegram", user_id: "42", chat_id: "7" };

async function conversations() {
  const { body } = await callJson<{ conversations: { id: string; message_count: number }[] }>(
    app.url,
    "ListConversations",
    {},
  );
  return body.conversations;
}

test("fifty parallel first messages of a new session make one conversation of fifty turns", async () => {
  model.add(...Array.from({ length: 50 }, (_, index) => says(`Reply ${index}`)));
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      callJson<Reply>(app.url, "ContinueConversation", { message: `Message ${index}`, session_metadata }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
  const ids = new Set(answers.map(({ body }) => body.conversation_id));
  expect(ids.size).toBe(1);
  expect(new Set(answers.map(({ body }) => body.reply)).size).toBe(50);
  expect(await conversations()).toMatchObject([{ id: [...ids][0], message_count: 100 }]);
});

test.each([
  ["StartConversation", { message: "Hi" }],
  ["StartConversation", { message: "Hi", session_metadata }],
  ["ContinueConversation", { message: "Hi", session_metadata }],
])("%s %j with one idempotency key fifty times at once makes one turn", async (method, request) => {
  model.add(says("Once"));
  const answers = await Promise.all(
    Array.from({ length: 50 }, () =>
      callJson<Reply>(app.url, method, request, { "idempotency-key": "the-key" }),
    ),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]).toMatchObject({ status: 200, body: { reply: "Once", title: "A title" } });
  expect([model.requests.length, model.titleRequests.length]).toEqual([1, 1]);
  expect(await conversations()).toMatchObject([{ message_count: 2 }]);

  const again = await callJson<Reply>(app.url, method, { ...request, idempotency_key: "the-key" });
  expect(again).toEqual(answers[0]);
  const other = await callJson(app.url, method, { ...request, message: "Ho", idempotency_key: "the-key" });
  expect(other).toMatchObject({
    status: 400,
    body: { code: "invalid_argument", meta: { argument: "idempotency_key" } },
  });
});

test("a key in the body and another in the header contradict each other", async () => {
  const answer = await callJson(
    app.url,
    "StartConversation",
    { message: "Hi", idempotency_key: "a" },
    { "idempotency-key": "b" },
  );
  expect(answer).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
});
