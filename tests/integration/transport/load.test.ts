import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { HttpServer, HttpServerOptions } from "../../../src/transport/http-server.ts";
import { EventLoopMonitor } from "../../../src/transport/incoming/event-loop.ts";
import { gate } from "../../support/answers.ts";
import { startTestApp } from "../../support/app.ts";
import { eventually } from "../../support/eventually.ts";
import { openHttpServer } from "../../support/http-server.ts";
import { rawRequest, rpc } from "../../support/raw-http.ts";
import { hangs, ScriptedModel, says } from "../../support/scripted-model.ts";

describe("turns", () => {
  test("beyond those that may be at work are unavailable at once, and other methods are not", async () => {
    const held = gate();
    const model = new ScriptedModel(
      ...Array.from(
        { length: 2 },
        () =>
          async function* () {
            await held.opened;
            yield* says("Hello");
          },
      ),
      says("There is room again"),
    );
    const app = await startTestApp({ MAX_CONCURRENT_TURNS: "2" }, { model });
    const start = () => rawRequest(app.url, { path: rpc("StartConversation"), body: '{"message":"Hi"}' });
    const atWork = [start(), start()];
    await eventually(() => model.requests.length === 2);
    const refused = await start();
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
    expect(JSON.parse(refused.body)).toEqual({
      code: "unavailable",
      msg: "The server is busy. Send it again in a moment.",
      meta: { reason: "overloaded", retry_after: "1" },
    });
    const listed = await rawRequest(app.url);
    expect(listed.status).toBe(200);
    expect(JSON.parse(listed.body).conversations).toHaveLength(2);
    held.open();
    for (const { status } of await Promise.all(atWork)) expect(status).toBe(200);
    expect(await start()).toMatchObject({ status: 200 });
    await app.stop();
  });

  test("whose clients have gone still count until they end", async () => {
    const model = new ScriptedModel(hangs);
    const app = await startTestApp({ MAX_CONCURRENT_TURNS: "1", SHUTDOWN_GRACE_SECONDS: "0" }, { model });
    const gone = new AbortController();
    const started = fetch(app.url + rpc("StartConversation"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"message":"Hi"}',
      signal: gone.signal,
    });
    await eventually(() => model.requests.length === 1);
    gone.abort();
    await expect(started).rejects.toThrow();
    const next = await rawRequest(app.url, { path: rpc("StartConversation"), body: '{"message":"Hi"}' });
    expect(next.status).toBe(503);
    await app.stop();
  });
});

describe("connections", () => {
  const sockets: Socket[] = [];
  let server: HttpServer;
  let url: string;
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close(0);
  });

  async function open(
    options: Partial<HttpServerOptions>,
    reply: string | (() => Promise<string>) = "",
  ): Promise<void> {
    ({ server } = openHttpServer(async () => {
      return { conversations: [], nextPageToken: typeof reply === "string" ? reply : await reply() };
    }, options));
    url = await server.listen("127.0.0.1", 0);
  }

  async function dial(): Promise<Socket> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    await once(socket, "connect");
    return socket.on("error", () => undefined);
  }

  async function isServed(): Promise<boolean> {
    return (await rawRequest(url).catch(() => undefined))?.status === 200;
  }

  /** However it comes about. */
  function closed(socket: Socket): Promise<void> {
    return new Promise((resolve) => socket.once("close", () => resolve()));
  }

  function head(length: number): string {
    return `POST ${rpc("ListConversations")} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
  }

  test.each([
    ["send nothing", ""],
    ["send their headers slowly", "POST / HTTP/1.1\r\nhost: x\r\n"],
    ["send their body slowly", "BODY"],
  ])("that %s are closed", async (_, text) => {
    await open({ timeouts: { headers: 50, request: 100, look: 20 } });
    const socket = await dial();
    socket.resume().write(text === "BODY" ? `${head(10)}{` : text);
    await closed(socket);
    expect(await rawRequest(url)).toMatchObject({ status: 200 });
  });

  test("that are idle are closed", async () => {
    await open({ timeouts: { keepAlive: 20 } });
    const socket = await dial();
    socket.write(`${head(2)}{}`);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toContain("200 OK");
    await closed(socket.resume());
  });

  test("whose client does not take its answer are closed", async () => {
    await open({ maxConnections: 1, timeouts: { answer: 50 } }, "x".repeat(32 * 1_048_576));
    const socket = (await dial()).pause();
    socket.write(`${head(2)}{}`);
    await eventually(isServed);
  });

  test("whose client asks ahead are not closed while the next answer is in the making", async () => {
    const second = gate();
    const long = "x".repeat(32 * 1_048_576);
    const replies = [async () => long, () => second.opened.then(() => "second"), async () => long];
    await open(
      { maxConnections: 2, timeouts: { answer: 50 } },
      async () => (await replies.shift()?.()) ?? "",
    );
    const ahead = await dial();
    let taken = 0;
    let end = "";
    ahead.on("data", (part: Buffer) => {
      taken += part.length;
      end = String(part.subarray(-100));
    });
    ahead.write(`${head(2)}{}`.repeat(2));
    await eventually(() => taken > long.length);
    // Its time is up after that of the first one's answer would have been.
    (await dial()).pause().write(`${head(2)}{}`);
    await eventually(isServed);
    second.open();
    await eventually(() => end.includes("second"));
  });

  test("whose clients do not take long answers leave room for short ones", async () => {
    const answers = { length: 32 * 1_048_576 };
    await open({}, async () => "x".repeat(answers.length));
    const ask = async () => (await rawRequest(url)).status;
    await eventually(async () => {
      (await dial()).pause().write(`${head(2)}{}`.repeat(3));
      return (await ask()) === 503;
    });
    answers.length = 10_000;
    expect(await ask()).toBe(200);
    answers.length = 100_000;
    expect(await ask()).toBe(503);
    for (const socket of sockets) socket.destroy();
    await eventually(async () => (await ask()) === 200);
  });

  test.each([
    ["is served", "POST", "{}", 200],
    ["is malformed", "POST", "{", 400],
    ["is refused before its body is read", "PUT", "{}", 404],
  ])("stay open after a short request that %s", async (_, method, body, status) => {
    await open({});
    const socket = await dial();
    let received = "";
    socket.on("data", (part) => {
      received += part;
    });
    for (const round of [1, 2]) {
      socket.write(head(body.length).replace("POST", method) + body);
      await eventually(() => received.split(`HTTP/1.1 ${status} `).length === round + 1);
    }
    expect(received).not.toMatch(/connection: close/i);
  });

  test("beyond their number are closed unread", async () => {
    await open({ maxConnections: 2 });
    const [first] = [await dial(), await dial()];
    const third = await dial();
    await closed(third.resume());
    first.destroy();
    await eventually(isServed);
  });

  test("that are idle make room when there are too many", async () => {
    await open({ maxConnections: 2 });
    for (const socket of [await dial(), await dial()]) {
      socket.write(`${head(2)}{}`);
      await once(socket, "data");
    }
    await closed((await dial()).resume());
    expect(await rawRequest(url)).toMatchObject({ status: 200 });
  });

  test("with headers too large are refused", async () => {
    await open({});
    const headers = { "x-large": "x".repeat(20_000) };
    expect(await rawRequest(url, { headers })).toMatchObject({ status: 431 });
  });

  test("whose body is long and its length unknown are told to announce it", async () => {
    await open({});
    const body = `{}${" ".repeat(262_143)}`;
    expect(await rawRequest(url, { body })).toMatchObject({ status: 200 });
    const response = await fetch(url + rpc("ListConversations"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new Blob([body]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(response.status).toBe(429);
    expect(((await response.json()) as { msg: string }).msg).toContain("Content-Length");
  });

  test("that send long bodies leave room for short ones", async () => {
    await open({});
    const parts = 1_000_000;
    const long = () => rawRequest(url, { body: `{}${" ".repeat(parts)}` });
    // One more each time: a long request that passes may have made the server turn away one that was to stay.
    await eventually(async () => {
      (await dial()).write(head(parts + 10) + " ".repeat(parts));
      return (await long()).status === 503;
    });
    expect(await rawRequest(url, { body: `{}${" ".repeat(10_000)}` })).toMatchObject({ status: 200 });
    for (const socket of sockets) socket.destroy();
    await eventually(async () => (await long()).status === 200);
  });
});

test("a busy event loop is noticed, and so is its end", async () => {
  const monitor = new EventLoopMonitor(50);
  monitor.start();
  expect(monitor.overloaded).toBe(false);
  await eventually(() => {
    const until = performance.now() + 100;
    while (performance.now() < until);
    return monitor.overloaded;
  });
  await eventually(() => !monitor.overloaded);
  monitor.stop();
});
