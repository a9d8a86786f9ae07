import { getEventListeners } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "@jest/globals";
import { guardedAgent } from "../../../src/net/guarded-agent.ts";
import { RequestRefusedError, ResponseTooLargeError } from "../../../src/net/http-client.ts";
import { streamingClientOver } from "../../../src/net/streaming-client.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";

const agent = guardedAgent({ rules: [() => true] });
const patience = { headersMs: 10_000, bodyMs: 10_000 };
const clientFor = (maxBytes: number) => streamingClientOver(agent, { patience, maxBytes });
const client = clientFor(1_000_000);
const OPTIONS = { headers: {}, body: "{}", signal: new AbortController().signal };

let server: LocalServer;
afterEach(() => server.close());

async function serve(handle: (response: ServerResponse, request: IncomingMessage) => void): Promise<string> {
  server = await localServer((_url, response, request) => handle(response, request));
  return server.url;
}

function post(url: string | URL, options: Partial<typeof OPTIONS> = {}) {
  return client.post(new URL(url), { ...OPTIONS, ...options });
}

async function bodyAt(url: string, options: Partial<typeof OPTIONS> = {}): Promise<string> {
  return text((await post(url, options)).body);
}

function closeOf({ socket }: IncomingMessage): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** The server's end of a connection, once a request has come in and its first part was answered. */
async function serveFirstPart() {
  const arrived = Promise.withResolvers<Promise<void>>();
  const url = await serve((response, request) => {
    arrived.resolve(closeOf(request));
    response.writeHead(200).write("first");
  });
  return { url, closed: arrived.promise };
}

/** A server that sends a first part and then the rest, and tells by which ports it was asked. */
async function serveInTwoParts(rest: (response: ServerResponse) => void) {
  const ports: (number | undefined)[] = [];
  const closed = Promise.withResolvers<void>();
  const url = await serve((response, request) => {
    ports.push(request.socket.remotePort);
    closeOf(request).then(closed.resolve);
    response.write("first", () => rest(response));
  });
  return { url, ports, closed: closed.promise };
}

describe("a request", () => {
  test("has its headers, path and body", async () => {
    const url = await serve(async (response, request) => {
      const { method, headers } = request;
      response.end(JSON.stringify({ method, headers, path: request.url, body: await text(request) }));
    });
    const headers = { "content-type": "application/json", "X-Two": "a, b" };
    const { body } = await post(`${url}/v1/x?y=%20#z`, { headers, body: '{"ü":1}' });
    expect(JSON.parse(await text(body))).toMatchObject({
      method: "POST",
      path: "/v1/x?y=%20",
      headers: {
        "content-type": "application/json",
        "x-two": "a, b",
        "content-length": "8",
        "user-agent": "parley",
      },
      body: '{"ü":1}',
    });
  });

  test.each(["file:///etc/passwd", "data:text/plain,x", "ftp://127.0.0.1/"])(
    "to %s is refused",
    async (url) => {
      await serve(() => undefined);
      await expect(post(url)).rejects.toBeInstanceOf(RequestRefusedError);
    },
  );

  test("that can't be sent is an error that no repetition mends, and does not say what it held", async () => {
    const url = await serve((response) => response.end());
    const error = await post(url, { headers: { authorization: "Bearer secret\nx" } }).catch(
      (caught) => caught,
    );
    expect(error).toBeInstanceOf(RequestRefusedError);
    expect(error.message).toContain("invalid authorization header");
    expect(error.message).not.toContain("secret");
    expect(server.requests).toHaveLength(0);
  });

  test("that is aborted while it waits for its connection is not sent", async () => {
    const url = await serve((response) => response.end());
    const fresh = guardedAgent({ rules: [() => true] });
    const abort = new AbortController();
    const options = { ...OPTIONS, signal: abort.signal };
    const asked = streamingClientOver(fresh, { patience, maxBytes: 1_000 }).post(new URL(url), options);
    const reason = new Error("too late");
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await fresh.close();
    expect(server.requests).toHaveLength(0);
  });
});

describe("a response", () => {
  test("has its status, headers and body", async () => {
    const url = await serve((response) =>
      response.writeHead(429, "Too Many", { "retry-after": "7", "set-cookie": ["a=1", "b=2"] }).end("Wait"),
    );
    const { status, headers, body } = await post(url);
    expect(status).toBe(429);
    expect(headers).toMatchObject({ "retry-after": "7", "set-cookie": ["a=1", "b=2"] });
    expect(await text(body)).toBe("Wait");
  });

  test.each([204, 304])("%i has no body", async (status) => {
    const url = await serve((response) => response.writeHead(status).end());
    const response = await post(url);
    expect(response.status).toBe(status);
    expect(await text(response.body)).toBe("");
  });

  test("comes part by part", async () => {
    let write = (_part: string) => {};
    const url = await serve((response) => {
      write = (part) => response.write(part);
      write("one");
    });
    const parts = (await post(url)).body[Symbol.asyncIterator]();
    expect(String((await parts.next()).value)).toBe("one");
    write("two");
    expect(String((await parts.next()).value)).toBe("two");
    await parts.return?.();
  });

  test("is preceded by informational ones", async () => {
    const url = await serve((response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: "</x>; rel=preload" });
      response.writeHead(201).end("Made");
    });
    const { status, body } = await post(url);
    expect([status, await text(body)]).toEqual([201, "Made"]);
  });

  test("is decoded, and no longer than allowed", async () => {
    let length = 1_000_000;
    const url = await serve((response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("x".repeat(length))),
    );
    expect(await bodyAt(url)).toHaveLength(1_000_000);
    length++;
    await expect(bodyAt(url)).rejects.toBeInstanceOf(ResponseTooLargeError);
  });

  test("that breaks off gives what came, then the error", async () => {
    const url = await serve((response) => response.write("first", () => response.destroy()));
    const parts = (await post(url)).body[Symbol.asyncIterator]();
    expect(String((await parts.next()).value)).toBe("first");
    await expect(parts.next()).rejects.toThrow("other side closed");
  });

  test("that redirects is not followed", async () => {
    const url = await serve((response) => response.writeHead(307, { location: "/next" }).end());
    const response = await post(url);
    expect(response.status).toBe(307);
    response.dump();
    expect(server.requests).toHaveLength(1);
  });

  test("that nobody reads yet has its server wait, and comes whole in the end", async () => {
    // More than the system's buffers take.
    const bytes = 32 * 1_048_576;
    let sent = Promise.resolve();
    const url = await serve((response, request) => {
      if (request.url !== "/long") return response.end("x");
      sent = new Promise((resolve) => response.once("finish", resolve));
      response.end(Buffer.alloc(bytes));
    });
    const { body } = await clientFor(bytes).post(new URL(`${url}/long`), OPTIONS);
    let isSent = false;
    sent.then(() => {
      isSent = true;
    });
    for (let others = 0; others < 300; others++) await bodyAt(url);
    expect(isSent).toBe(false);
    expect(await text(body)).toHaveLength(bytes);
    await sent;
  });
});

describe("the socket closes", () => {
  test("when its reader leaves", async () => {
    const { url, closed } = await serveFirstPart();
    for await (const part of (await post(url)).body) {
      expect(String(part)).toBe("first");
      break;
    }
    await closed;
  });

  test("when the signal aborts before the answer, and its reason is the error", async () => {
    const arrived = Promise.withResolvers<IncomingMessage>();
    const url = await serve((_response, request) => arrived.resolve(request));
    const abort = new AbortController();
    const asked = post(url, { signal: abort.signal });
    const closed = closeOf(await arrived.promise);
    const reason = new Error("too late");
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await closed;
  });

  test.each(["before the body was read", "while its reader waits"])(
    "when the signal aborts %s, and its reason is the error",
    async (moment) => {
      const { url, closed } = await serveFirstPart();
      const abort = new AbortController();
      const parts = (await post(url, { signal: abort.signal })).body[Symbol.asyncIterator]();
      if (moment === "while its reader waits") await parts.next();
      const next = moment === "while its reader waits" ? parts.next() : undefined;
      const reason = new Error("too late");
      abort.abort(reason);
      await expect(next ?? parts.next()).rejects.toBe(reason);
      await closed;
    },
  );
});

describe("a rest that is not wanted", () => {
  test("and that is short leaves the connection to the next request", async () => {
    let end = () => {};
    const { url, ports } = await serveInTwoParts((response) => {
      end = () => response.end("rest");
    });
    const { body, dump } = await post(url);
    for await (const _part of body) {
      dump();
      break;
    }
    end();
    const isFree = () =>
      Object.entries(agent.stats[url] ?? {}).some(([name, count]) => name === "free" && count > 0);
    while (!isFree()) await new Promise(setImmediate);
    (await post(url)).dump();
    end();
    expect(ports).toEqual([ports[0], ports[0]]);
  });

  test("and that is long, or never ends, is cut off", async () => {
    const { url, closed } = await serveInTwoParts((response) => response.write("x".repeat(100_000)));
    (await post(url)).dump();
    await closed;
    await server.close();
    const silent = await serveInTwoParts(() => undefined);
    (await post(silent.url)).dump();
    await silent.closed;
  });
});

test("a signal that outlives a request is left as it was", async () => {
  const { signal } = new AbortController();
  const { url, closed } = await serveFirstPart();
  const { dump } = await post(url, { signal });
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  dump();
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
  await closed;
  await server.close();
  await bodyAt(await serve((response) => response.end("x")), { signal });
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});
