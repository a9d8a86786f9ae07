import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { gate } from "../support/answers.ts";
import { replyTo, startEchoModel } from "../support/echo-model.ts";
import { eventually } from "../support/eventually.ts";
import { rawRequest, rpc } from "../support/raw-http.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

let model: Awaited<ReturnType<typeof startEchoModel>>;
let held: ReturnType<typeof gate>;
let asked: number;
let server: RunningServer;
let servers: RunningServer[];

beforeAll(async () => {
  model = await startEchoModel(() => {
    asked++;
    return held.opened;
  });
});
afterAll(() => model.close());
beforeEach(() => {
  held = gate();
  asked = 0;
  servers = [];
});
afterEach(async () => {
  held.open();
  for (const one of servers) await one.kill("SIGKILL");
});

async function open(env: Record<string, string> = {}, dataDir?: string): Promise<void> {
  server = await startServer({ env: { OPENAI_BASE_URL: model.baseUrl, ...env }, dataDir });
  servers.push(server);
}

/** A message whose turn goes on when `held` opens; the status is the error's name when there is no answer. */
async function ask(message: string, idempotency_key = "") {
  return callJson<{ reply: string }>(server.url, "StartConversation", { message, idempotency_key }).catch(
    (error: Error) => ({ status: error.name, body: {} }),
  );
}

const said = (text: string) => eventually(() => server.log.some((line) => line.includes(text)));

test("SIGTERM: turns at work end, nothing new is taken, /ready says so, exit code 0", async () => {
  await open();
  const answer = ask("Hi");
  await eventually(() => asked > 0);
  const ended = server.kill("SIGTERM");
  await said("SIGTERM: stopping");

  const ready = await rawRequest(server.url, { method: "GET", path: "/ready" });
  expect(ready).toMatchObject({ status: 503, headers: { connection: "close" } });
  expect(JSON.parse(ready.body).status).toBe("draining");
  expect(await rawRequest(server.url, { method: "GET", path: "/health" })).toMatchObject({ status: 200 });
  for (const method of ["StartConversation", "ListConversations"]) {
    const refused = await rawRequest(server.url, { path: rpc(method) });
    expect(refused).toMatchObject({ status: 503, headers: { connection: "close", "retry-after": "1" } });
    expect(JSON.parse(refused.body)).toMatchObject({ code: "unavailable", meta: { reason: "stopping" } });
  }
  held.open();
  expect(await answer).toMatchObject({ status: 200, body: { reply: replyTo("Hi") } });
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("SIGTERM closes idle connections at once", async () => {
  await open();
  const agent = new Agent({ keepAlive: true });
  const [response] = (await once(request(`${server.url}/health`, { agent }).end(), "response")) as [
    IncomingMessage,
  ];
  const { socket } = response.resume();
  await once(response, "end");
  const answer = ask("Hi");
  await eventually(() => asked > 0);
  const ended = server.kill("SIGTERM");
  await once(socket, "close");
  held.open();
  expect(await answer).toMatchObject({ status: 200 });
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("turns that do not end within the grace go on after the next start", async () => {
  await open({ SHUTDOWN_GRACE_SECONDS: "0" });
  const { dataDir } = server;
  const answer = ask("Hi", "key");
  await eventually(() => asked > 0);
  expect(await server.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  expect(await answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
  held.open();
  await open({}, dataDir);
  const again = await ask("Hi", "key");
  expect(again).toMatchObject({ status: 200, body: { reply: replyTo("Hi") } });
});

test("a second signal ends it at once, with exit code 130", async () => {
  await open();
  const answer = ask("Hi");
  await eventually(() => asked > 0);
  const ended = server.kill("SIGTERM");
  await said("SIGTERM: stopping");
  expect(await server.kill("SIGINT")).toEqual({ code: 130, signal: null });
  await ended;
  expect((await answer).status).toBe("TypeError");
});

test("clients that send nothing, half a request, or take no answer do not hold it up", async () => {
  await open({ SHUTDOWN_GRACE_SECONDS: "1" });
  const { hostname, port } = new URL(server.url);
  const head = `POST ${rpc("ListConversations")} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`;
  for (const text of ["", head, `${head}content-length: 10\r\n\r\n{`]) {
    const socket = connect(Number(port), hostname).on("error", () => undefined);
    await once(socket, "connect");
    if (text !== "") socket.pause().write(text);
  }
  expect(await server.kill("SIGTERM")).toEqual({ code: 0, signal: null });
});

test.each([
  ["an unhandled rejection", "Promise.reject(error)"],
  ["an uncaught exception", "throw error"],
])(
  "%s is logged with its cause, and ends it once the turns at work have ended, with exit code 1",
  async (_, fault) => {
    const code = `process.on("SIGUSR2", () => {
    const error = new Error("a fault", { cause: new Error("its cause") });
    ${fault};
  })`;
    await open({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` });
    const answer = ask("Hi");
    await eventually(() => asked > 0);
    const ended = server.kill("SIGUSR2");
    await said("The server has a fault");
    const [line = ""] = server.log.filter((text) => text.includes("The server has a fault"));
    expect(JSON.parse(line)).toMatchObject({ level: 60, faults: 1 });
    expect(line).toMatch(/a fault.*its cause/);
    expect(await rawRequest(server.url)).toMatchObject({ status: 503 });
    held.open();
    expect(await answer).toMatchObject({ status: 200, body: { reply: replyTo("Hi") } });
    expect(await ended).toEqual({ code: 1, signal: null });
  },
);
