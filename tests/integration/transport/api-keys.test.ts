import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApp } from "../../support/app.ts";
import { type RawAnswer, type RawRequest, rawRequest, rpc } from "../../support/raw-http.ts";
import { ScriptedModel, says } from "../../support/scripted-model.ts";
import { callJson } from "../../support/twirp.ts";

const ANN = "ann-canary-0123456789abcdef";
const BOB = "bob-canary-0123456789abcdef";
const STRANGER = "eve-canary-0123456789abcdef";
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

let app: Awaited<ReturnType<typeof startTestApp>>;
let model: ScriptedModel;

beforeAll(async () => {
  model = new ScriptedModel();
  app = await startTestApp({ API_KEYS: `ann:${ANN},bob:${BOB}` }, { model });
});
afterAll(() => app.stop());

async function start(key: string, request: object = {}): Promise<string> {
  model.add(says("Hello"));
  const { status, body } = await callJson<{ conversation_id: string }>(
    app.url,
    "StartConversation",
    { message: "Hi", ...request },
    bearer(key),
  );
  expect(status).toBe(200);
  return body.conversation_id;
}

describe("with API keys set", () => {
  test.each([
    ["Authorization: Bearer", bearer(ANN)],
    ["its scheme in any case", { authorization: `bEARER   ${ANN}` }],
    ["X-API-Key", { "x-api-key": ANN }],
    ["X-API-Key beside another's Authorization", { "x-api-key": ANN, authorization: "Basic dTpw" }],
    ["a right one beside a wrong one", { "x-api-key": STRANGER, ...bearer(ANN) }],
  ])("a key is taken from %s", async (_, headers) => {
    expect(await rawRequest(app.url, { headers })).toMatchObject({ status: 200 });
  });

  test.each([
    ["no key", {}, 'Bearer realm="parley"'],
    ["an unknown key", bearer(STRANGER), 'Bearer realm="parley", error="invalid_token"'],
    ["a part of a key", bearer(ANN.slice(0, -1)), 'Bearer realm="parley", error="invalid_token"'],
    ["a name for a key", bearer("ann"), 'Bearer realm="parley", error="invalid_token"'],
    ["an empty key", { "x-api-key": "" }, 'Bearer realm="parley", error="invalid_token"'],
    ["a key in Basic", { authorization: `Basic ${ANN}` }, 'Bearer realm="parley"'],
  ])("%s is unauthenticated", async (_, headers, challenge) => {
    const answer = await rawRequest(app.url, { headers });
    expect(answer).toMatchObject({ status: 401, headers: { "www-authenticate": challenge } });
    expect(JSON.parse(answer.body)).toEqual({
      code: "unauthenticated",
      msg: expect.stringContaining("API_KEYS"),
      meta: { reason: "unauthenticated" },
    });
  });

  test("every path needs one but the server's health", async () => {
    for (const path of [rpc("ListConversations"), rpc("StartConversation"), "/metrics", "/"]) {
      expect(await rawRequest(app.url, { path })).toMatchObject({ status: 401 });
      expect(await rawRequest(app.url, { method: "GET", path })).toMatchObject({ status: 401 });
    }
    for (const path of ["/health", "/ready"]) {
      expect(await rawRequest(app.url, { method: "GET", path })).toMatchObject({ status: 200 });
    }
  });

  test("a body is neither waited for nor asked for before", async () => {
    const headers = { "content-length": "1000000", expect: "100-continue" };
    const unread = await rawRequest(app.url, { headers, body: "" });
    expect(unread).toMatchObject({ status: 401, headers: { connection: "close" } });
    const asked = await rawRequest(app.url, { headers: { ...bearer(ANN), expect: "100-continue" } });
    expect(asked).toMatchObject({ status: 200 });
  });
});

describe("another's conversation", () => {
  const MISSING = "0123456789abcdef01234567";

  test.each([
    ["DescribeConversation", {}],
    ["ContinueConversation", { message: "Hi" }],
    ["ContinueConversation", { message: "Hi", idempotency_key: "k" }],
  ])("is for %s like a missing one, byte for byte", async (method, request) => {
    const conversation_id = await start(ANN);
    const answerFor = async (id: string) => {
      const { status, headers, body } = await rawRequest(app.url, {
        path: rpc(method),
        headers: { ...bearer(BOB), "x-request-id": "same" },
        body: JSON.stringify({ ...request, conversation_id: id }),
      });
      return { status, headers: { ...headers, date: "" }, body: body.replaceAll(id, "ID") };
    };
    const others = await answerFor(conversation_id);
    expect(others).toMatchObject({ status: 404, body: expect.stringContaining("not_found") });
    expect(others).toEqual(await answerFor(MISSING));
  });

  test("is not in the list, nor in the session of the same user", async () => {
    const session_metadata = { platform: "p", user_id: "u", chat_id: "c" };
    const anns = await start(ANN, { session_metadata });
    model.add(says("Hello"));
    const bobs = await callJson<{ conversation_id: string }>(
      app.url,
      "ContinueConversation",
      { message: "Hi", session_metadata },
      bearer(BOB),
    );
    expect(bobs.body.conversation_id).not.toBe(anns);
    const list = await callJson<{ conversations: { id: string }[] }>(
      app.url,
      "ListConversations",
      {},
      bearer(BOB),
    );
    expect(list.body.conversations.map(({ id }) => id)).toEqual([bobs.body.conversation_id]);
  });

  test("has idempotency keys of its own", async () => {
    const request = { idempotency_key: "shared" };
    expect(await start(ANN, request)).not.toBe(await start(BOB, request));
  });
});

test("no key is in the log or in an answer", async () => {
  const answers: RawAnswer[] = [];
  for (const key of [ANN, STRANGER]) {
    const requests: RawRequest[] = [
      { headers: bearer(key) },
      { headers: bearer(key), body: "{" },
      { headers: bearer(key), path: "/nowhere" },
      { headers: { ...bearer(key), "content-type": "text/plain" } },
      { headers: { "x-api-key": key, origin: "https://evil.example" } },
      { headers: { ...bearer(key), "content-length": "99999999" }, body: "" },
      { headers: bearer(key), path: rpc("StartConversation"), body: '{"message":"unscripted"}' },
    ];
    for (const request of requests) answers.push(await rawRequest(app.url, request));
  }
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400, 401, 404, 429, 500]));
  expect(JSON.stringify(answers)).not.toContain("canary");
  const lines = app.log.lines.map((line) => ({ ...line, error: String(line.fields.err) }));
  expect(JSON.stringify(lines)).not.toContain("canary");
});

describe("at start", () => {
  test("keys and their limits are checked, all problems at once", async () => {
    const start = startTestApp({
      API_KEYS: "ann:hush,b/c:0123456789abcdef",
      API_KEY_LIMITS: "ann:5",
      TRUSTED_PROXIES: "10.0.0.0/8,10.0.0.0/33,proxy",
      CORS_ORIGINS: "https://chat.example.com,chat.example.com,https://x.example/path,*",
    });
    const problem =
      /API_KEYS: entry 1: the key[\s\S]*API_KEYS: entry 2: the name[\s\S]*API_KEY_LIMITS: entry 1/;
    await expect(start).rejects.toThrow(problem);
    await expect(start).rejects.toThrow(/TRUSTED_PROXIES: entry 2: [\s\S]*TRUSTED_PROXIES: entry 3: /);
    await expect(start).rejects.toThrow(/CORS_ORIGINS: entry 2: [\s\S]*entry 3: [\s\S]*entry 4: /);
    await expect(start).rejects.not.toThrow("hush");
  });

  test("a limit must be of a key that there is", async () => {
    const start = startTestApp({ API_KEYS: `ann:${ANN}`, API_KEY_LIMITS: "anne:5:5" });
    await expect(start).rejects.toThrow("API_KEY_LIMITS: names a key that is not in API_KEYS");
  });

  test.each(["0.0.0.0", "::", "192.0.2.1", "parley.example"])(
    "without keys a server does not listen on %s",
    async (HOST) => {
      await expect(startTestApp({ HOST })).rejects.toThrow(/API_KEYS=[\s\S]*ALLOW_ANONYMOUS=true/);
    },
  );

  test("with keys it does, and tells whose they are", async () => {
    const open = await startTestApp({ HOST: "0.0.0.0", API_KEYS: `ann:${ANN},${BOB}` });
    expect(open.log.at("info")).toContainEqual(
      expect.stringMatching(/^Open to: callers with an API key \(ann, key-[0-9a-f]{12}\)$/),
    );
    await open.stop();
  });

  test("without keys it does if that is allowed, and says so loudly", async () => {
    const open = await startTestApp({ HOST: "0.0.0.0", ALLOW_ANONYMOUS: "true" });
    expect(open.log.at("warn")).toEqual([expect.stringMatching(/^ALLOW_ANONYMOUS: everyone/)]);
    const url = open.url.replace("0.0.0.0", "127.0.0.1");
    expect(await rawRequest(url, { headers: { host: "parley.example" } })).toMatchObject({ status: 200 });
    await open.stop();
  });
});
