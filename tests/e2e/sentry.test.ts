import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { rawRequest } from "../support/raw-http.ts";
import { startSentryReceiver } from "../support/sentry.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
/** What users wrote, in places from where it could get into an error or its report. */
const CANARY = "my canary is called Tweety";

let server: RunningServer;
let sentry: Awaited<ReturnType<typeof startSentryReceiver>>;
afterEach(async () => {
  await server?.stop();
  await sentry?.close();
});

/** A server with code of the test's in it, that reports to the receiver. */
async function open(code = "", answer?: () => Promise<void>): Promise<void> {
  sentry = await startSentryReceiver(answer);
  server = await startServer({
    env: { SENTRY_DSN: sentry.dsn, SENTRY_ENVIRONMENT: "test", ...preload(code) },
  });
}

function preload(code: string) {
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
}

/** A conversation whose steps can't be read: what the parser says of them quotes the canary. */
async function damagedConversation(): Promise<string> {
  await callJson(server.url, "StartConversation", { message: CANARY });
  // The server knows by heart what was said in a conversation, under the id that it had.
  const id = "0123456789abcdef01234567";
  const database = new DatabaseSync(join(server.dataDir, "parley.db"));
  database.prepare("UPDATE turns SET steps = ?").run(CANARY);
  database.prepare("UPDATE conversations SET id = ?").run(id);
  database.close();
  return id;
}

/** The event of the only envelope. */
async function theEvent() {
  await eventually(() => sentry.envelopes.length > 0);
  const [envelope] = sentry.envelopes;
  expect(envelope).toMatchObject({
    path: expect.stringMatching(/^\/api\/42\/envelope\/\?.*sentry_key=publickey/),
    contentType: "application/x-sentry-envelope",
  });
  expect(envelope?.lines[1]).toMatchObject({ type: "event" });
  return envelope?.lines[2];
}

function expectNoSecret(): void {
  for (const { raw } of sentry.envelopes) expect(raw).not.toMatch(/Tweety|canary|visitor|x-canary/i);
}

test("a request that fails unexpectedly is reported, with its id and without a word of a user", async () => {
  await open();
  const conversation_id = await damagedConversation();
  const { status } = await rawRequest(server.url, {
    path: "/twirp/acai.chat.ChatService/DescribeConversation?visitor=canary",
    headers: { "x-request-id": "request-17", "user-agent": "x-canary", "x-api-key": CANARY },
    body: JSON.stringify({ conversation_id }),
  });
  expect(status).toBe(500);
  await eventually(() => server.log.join("\n").includes("A request failed unexpectedly"));
  expect(server.log.join("\n")).not.toContain(CANARY.slice(0, 10));

  const event = await theEvent();
  expect(event).toMatchObject({
    level: "error",
    release: `parley@${version}`,
    environment: "test",
    platform: "node",
    tags: { request_id: "request-17" },
    exception: {
      values: [
        {
          type: "SyntaxError",
          mechanism: { handled: true },
          stacktrace: { frames: expect.arrayContaining([expect.objectContaining({ in_app: true })]) },
        },
      ],
    },
  });
  expect(Object.keys(event ?? {}).sort()).toEqual([
    ...["contexts", "environment", "event_id", "exception", "level", "platform", "release", "sdk", "tags"],
    "timestamp",
  ]);
  expectNoSecret();
});

test("a turn that fails unexpectedly is reported once, with its id", async () => {
  await open();
  const conversation_id = await damagedConversation();
  const { body } = await callJson(server.url, "ContinueConversation", { conversation_id, message: CANARY });
  expect(body).toMatchObject({ code: "internal" });
  const event = await theEvent();
  expect(event).toMatchObject({
    tags: { request_id: body.meta?.request_id, turn_id: expect.stringMatching(/^[0-9a-f]{24}$/) },
    exception: { values: [{ type: "SyntaxError" }] },
  });
  await server.kill("SIGTERM");
  expect(sentry.envelopes).toHaveLength(1);
  expectNoSecret();
});

const FAULT = `process.on("SIGUSR2", () => {
  const cause = Object.assign(new TypeError("${CANARY}"), { code: "ECONNRESET" });
  throw Object.assign(new RangeError("Fault\\n    at ${CANARY} (canary.js:1:1)", { cause }), { code: "E_FAULT" });
})`;

test("a fault that ends the server is sent before its end, with its causes", async () => {
  await open(FAULT);
  expect(await server.kill("SIGUSR2")).toEqual({ code: 1, signal: null });
  expect(sentry.envelopes).toHaveLength(1);
  expect(await theEvent()).toMatchObject({
    level: "fatal",
    tags: { error_code: "E_FAULT" },
    exception: { values: [{ type: "TypeError" }, { type: "RangeError", mechanism: { handled: false } }] },
  });
  expectNoSecret();
});

test("a Sentry that does not answer does not hold the server's end up", async () => {
  await open(FAULT, () => new Promise(() => undefined));
  expect(await server.kill("SIGUSR2")).toEqual({ code: 1, signal: null });
  expect(sentry.envelopes).toHaveLength(1);
});

test("a Sentry that is away, or refuses, is told of in the log, and stops nothing", async () => {
  await open();
  const conversation_id = await damagedConversation();
  const fail = () => callJson(server.url, "DescribeConversation", { conversation_id });
  sentry.status = 403;
  await fail();
  await eventually(() => server.log.some((line) => line.includes("Sentry did not take a report")));
  await sentry.close();
  await fail();
  await eventually(() => server.log.some((line) => line.includes("Sentry could not be reached")));
  expect(await fail()).toMatchObject({ status: 500 });
  expect(await rawRequest(server.url)).toMatchObject({ status: 200 });
});

test("the SDK is loaded only where there is a SENTRY_DSN", async () => {
  const code = `import { registerHooks } from "node:module";
    registerHooks({ resolve(name, context, next) {
      if (name.startsWith("@sentry/")) console.error("loads " + name);
      return next(name, context);
    } })`;
  await open(code);
  expect(server.log).toContain("loads @sentry/core");
  await server.stop();
  server = await startServer({ env: preload(code) });
  await callJson(server.url, "StartConversation", { message: "Hi" });
  expect(server.log.join("\n")).not.toContain("@sentry");
});
