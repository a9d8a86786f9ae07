import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "@jest/globals";
import { fetchOver } from "../../../src/net/fetch.ts";
import { guardedAgent } from "../../../src/net/guarded-agent.ts";
import { RequestRefusedError, ResponseTooLargeError } from "../../../src/net/http-client.ts";
import { type LocalServer, localServer } from "../../fixtures/tools/local-server.ts";

const agent = guardedAgent({ rules: [() => true] });
const fetched = fetchOver(agent, { patience: { headersMs: 10_000, bodyMs: 10_000 }, maxBytes: 1_000 });

let server: LocalServer;
afterEach(() => server.close());

async function serve(handle: (response: ServerResponse, request: IncomingMessage) => void): Promise<string> {
  server = await localServer((_url, response, request) => handle(response, request));
  return server.url;
}

/** The server's end of a connection, once a request has come in and its first part was answered. */
async function serveFirstPart() {
  const arrived = Promise.withResolvers<Promise<unknown>>();
  const url = await serve((response, { socket }) => {
    arrived.resolve(new Promise((resolve) => socket.once("close", resolve)));
    response.writeHead(200).write("first");
  });
  return { url, closed: arrived.promise };
}

describe("a request", () => {
  test("has its method, headers, path and body", async () => {
    const url = await serve(async (response, request) => {
      const { method, headers } = request;
      response.end(JSON.stringify({ method, headers, path: request.url, body: await text(request) }));
    });
    const headers = new Headers({ "content-type": "application/json", "X-Two": "a, b" });
    const response = await fetched(new URL(`${url}/v1/x?y=%20#z`), {
      method: "POST",
      headers,
      body: '{"ü":1}',
    });
    expect(await response.json()).toMatchObject({
      method: "POST",
      path: "/v1/x?y=%20",
      headers: { "content-type": "application/json", "x-two": "a, b", "content-length": "8" },
      body: '{"ü":1}',
    });
  });

  test.each(["file:///etc/passwd", "data:text/plain,x", "ftp://127.0.0.1/"])(
    "to %s is refused",
    async (url) => {
      await serve(() => undefined);
      await expect(fetched(url)).rejects.toBeInstanceOf(RequestRefusedError);
    },
  );

  test("that it can't send is an error, not sent otherwise", async () => {
    const url = await serve((response) => response.end());
    await expect(fetched(new Request(url))).rejects.toThrow(/takes a URL/);
    await expect(fetched(url, { method: "POST", body: new FormData() })).rejects.toThrow(/body of text/);
    expect(server.requests).toHaveLength(0);
  });
});

describe("a response", () => {
  test("has its status, headers and body", async () => {
    const url = await serve((response) =>
      response.writeHead(429, "Too Many", { "retry-after": "7", "set-cookie": ["a=1", "b=2"] }).end("Wait"),
    );
    const response = await fetched(url);
    expect(response).toMatchObject({ status: 429, ok: false, statusText: "Too Many" });
    expect(response.headers.get("retry-after")).toBe("7");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.text()).toBe("Wait");
  });

  test.each([204, 304])("%i has no body", async (status) => {
    const url = await serve((response) => response.writeHead(status).end());
    const response = await fetched(url);
    expect(response).toMatchObject({ status, body: null });
  });

  test("comes part by part", async () => {
    let write = (_part: string) => {};
    const url = await serve((response) => {
      write = (part) => response.write(part);
      write("one");
    });
    const { body } = await fetched(url);
    const parts = body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    expect(await parts?.next()).toMatchObject({ value: "one" });
    write("two");
    expect(await parts?.next()).toMatchObject({ value: "two" });
  });

  test("is decoded, and no longer than allowed", async () => {
    let length = 1_000;
    const url = await serve((response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("x".repeat(length))),
    );
    expect(await (await fetched(url)).text()).toHaveLength(1_000);
    length = 1_001;
    await expect((await fetched(url)).text()).rejects.toBeInstanceOf(ResponseTooLargeError);
  });

  test("that breaks off is an error of its body", async () => {
    const url = await serve((response) => response.write("first", () => response.destroy()));
    const response = await fetched(url);
    await expect(response.text()).rejects.toThrow("other side closed");
  });

  test("that redirects is not followed", async () => {
    const url = await serve((response) => response.writeHead(307, { location: "/next" }).end());
    expect(await fetched(url)).toMatchObject({ status: 307, redirected: false });
    expect(server.requests).toHaveLength(1);
  });

  test("with a status that no Response can have closes its socket", async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((response, { socket }) => {
      socket.once("close", () => closed.resolve());
      response.writeHead(999).write("x");
    });
    await expect(fetched(url)).rejects.toThrow(/status/);
    await closed.promise;
  });
});

describe("the socket closes", () => {
  test("when the body is cancelled before it was read", async () => {
    const { url, closed } = await serveFirstPart();
    const response = await fetched(url);
    await response.body?.cancel();
    await await closed;
  });

  test("when the body is cancelled while its reader waits", async () => {
    const { url, closed } = await serveFirstPart();
    const reader = (await fetched(url)).body?.getReader();
    await reader?.read();
    const next = reader?.read();
    await reader?.cancel();
    expect(await next).toMatchObject({ done: true });
    await await closed;
  });

  test("when the signal aborts, and its reason is the error", async () => {
    const { url, closed } = await serveFirstPart();
    const abort = new AbortController();
    const reader = (await fetched(url, { signal: abort.signal })).body?.getReader();
    await reader?.read();
    const next = reader?.read();
    const reason = new Error("too late");
    abort.abort(reason);
    await expect(next).rejects.toBe(reason);
    await await closed;
  });
});
