import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { guardedAgent } from "../../../src/net/guarded-agent.ts";
import { httpClientOver } from "../../../src/net/guarded-http-client.ts";
import {
  type HttpGetOptions,
  RequestRefusedError,
  ResponseTooLargeError,
} from "../../../src/net/http-client.ts";
import { startListener } from "../../support/connections.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";
import { localOutbound } from "../../support/outbound.ts";
import { runScript } from "../migrations/processes.ts";

const { http } = localOutbound();
const OPTIONS: HttpGetOptions = { signal: new AbortController().signal, maxBytes: 1_000 };

let servers: LocalServer[] = [];
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  servers = [];
});

async function serve(handle: (url: URL, response: ServerResponse, request: IncomingMessage) => void) {
  const server = await localServer(handle);
  servers.push(server);
  return server;
}

function get(url: string, options: Partial<HttpGetOptions> = {}) {
  return http.get(new URL(url), { ...OPTIONS, ...options });
}

/** Answers with the path and the headers that it was asked with. */
async function echoServer() {
  return serve((url, response, { headers }) =>
    response.end(JSON.stringify({ path: url.pathname, ...headers })),
  );
}

describe("bodies", () => {
  test("are decoded", async () => {
    const text = "Grüße, ☂, 𝟙 ".repeat(50);
    const { url } = await serve((_url, response, { headers }) => {
      expect(headers["accept-encoding"]).toBe("gzip");
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(text));
    });
    expect(await get(url)).toMatchObject({ status: 200, body: text });
  });

  test("may be as long as allowed, and not a byte longer", async () => {
    const { url } = await serve(({ pathname }, response) =>
      response.end("x".repeat(Number(pathname.slice(1)))),
    );
    expect((await get(`${url}/1000`)).body).toHaveLength(1_000);
    await expect(get(`${url}/1001`)).rejects.toBeInstanceOf(ResponseTooLargeError);
  });

  test("that grow when they are decoded are cut off at the bound, and so is the connection", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1_048_576));
    expect(bomb.length).toBeLessThan(100_000);
    let closed = Promise.resolve();
    const { url } = await serve((_url, response) => {
      closed = new Promise((resolve) => response.once("close", resolve));
      // The rest never comes: only the client can end this.
      response.writeHead(200, { "content-encoding": "gzip" }).write(bomb.subarray(0, bomb.length - 8));
    });
    const before = process.memoryUsage().arrayBuffers;
    await expect(get(url)).rejects.toBeInstanceOf(ResponseTooLargeError);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1_048_576);
    await closed;
  });

  test.each(["br", "gzip, gzip", "unheard-of"])("in the encoding %s are refused", async (encoding) => {
    const { url } = await serve((_url, response) =>
      response.writeHead(200, { "content-encoding": encoding }).end("x"),
    );
    await expect(get(url)).rejects.toBeInstanceOf(RequestRefusedError);
  });

  test("that are cut short are an error", async () => {
    const { url } = await serve((_url, response) => {
      response.writeHead(200, { "content-length": 10 }).write("x", () => response.destroy());
    });
    await expect(get(url)).rejects.toThrow();
    const packed = gzipSync("x".repeat(500));
    const { url: other } = await serve((_url, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(packed.subarray(0, 15)),
    );
    await expect(get(other)).rejects.toThrow(/unexpected end of file/);
  });
});

describe("redirects", () => {
  const redirectTo = (location: string) => (_url: URL, response: ServerResponse) =>
    response.writeHead(302, { location }).end("Over there");

  test("are not followed unless the caller wants it", async () => {
    const { url, requests } = await serve(redirectTo("/next"));
    expect(await get(url)).toMatchObject({ status: 302, headers: { location: "/next" }, body: "Over there" });
    expect(requests).toHaveLength(1);
  });

  test.each([301, 302, 303, 307, 308])("%i is followed, by relative and absolute URLs", async (status) => {
    const { url, requests } = await serve(({ pathname }, response) => {
      const next = { "/a/b": "../c?d=1", "/c": `${url}/e` }[pathname];
      if (next) response.writeHead(status, { location: next }).end();
      else response.end("here");
    });
    expect(await get(`${url}/a/b`, { maxRedirects: 2 })).toMatchObject({ status: 200, body: "here" });
    expect(requests.map(({ pathname, search }) => pathname + search)).toEqual(["/a/b", "/c?d=1", "/e"]);
  });

  test("in a circle end at the bound", async () => {
    const { url, requests } = await serve(redirectTo("/"));
    await expect(get(url, { maxRedirects: 3 })).rejects.toThrow(/redirects more than 3 times/);
    await expect(get(url, { maxRedirects: 3 })).rejects.toBeInstanceOf(RequestRefusedError);
    expect(requests).toHaveLength(8);
  });

  test("without a usable location", async () => {
    const { url } = await serve(redirectTo("http://"));
    await expect(get(url, { maxRedirects: 3 })).rejects.toBeInstanceOf(RequestRefusedError);
    const { url: other } = await serve((_url, response) => response.writeHead(302).end("Somewhere"));
    expect(await get(other, { maxRedirects: 3 })).toMatchObject({ status: 302, body: "Somewhere" });
  });

  test("keep the caller's headers and credentials within the origin, and from any other", async () => {
    const echo = await echoServer();
    const abroad = await serve(redirectTo(`${echo.url}/there`));
    const home = await serve(({ pathname }, response, { headers }) => {
      if (pathname === "/") response.writeHead(302, { location: "/here" }).end();
      else response.end(JSON.stringify(headers));
    });
    const options = { headers: { "x-api-key": "secret" }, maxRedirects: 1 };
    expect(JSON.parse((await get(home.url, options)).body)).toMatchObject({ "x-api-key": "secret" });
    const withUser = abroad.url.replace("http://", "http://me:pass@");
    const { body } = await get(withUser, options);
    expect(JSON.parse(body)).toMatchObject({ path: "/there", "user-agent": "parley" });
    expect(body).not.toMatch(/secret|authorization|referer|cookie/);
  });

  test("with an endless body do not hold the call up", async () => {
    const echo = await echoServer();
    const { url } = await serve((_url, response) => {
      response.writeHead(302, { location: echo.url });
      const more = () => {
        if (!response.destroyed) response.write("x".repeat(65_536), more);
      };
      more();
    });
    expect(await get(url, { maxRedirects: 1 })).toMatchObject({ status: 200 });
  });
});

test.each([
  ["j%C3%B6rg:a%3Ab", "jörg:a:b"],
  ["me:50%off", "me:50%off"],
])("name and password of a URL are sent as Basic credentials: %s", async (written, credentials) => {
  const { url } = await echoServer();
  const { body } = await get(url.replace("http://", `http://${written}@`));
  const { authorization } = JSON.parse(body);
  expect(authorization).toBe(`Basic ${Buffer.from(credentials).toString("base64")}`);
});

describe("TLS", () => {
  const pem = readFileSync("tests/fixtures/net/self-signed.pem", "utf8");
  let requests: number;
  let location: string;
  let server: Server;
  let url: string;
  beforeEach(async () => {
    requests = 0;
    location = "/";
    server = createServer({ key: pem, cert: pem }, (_request, response) => {
      requests += 1;
      response.writeHead(requests === 1 ? 302 : 200, { location }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    setDefaultCACertificates(getCACertificates("bundled"));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test("a certificate that nobody vouches for is refused, whatever the environment says", async () => {
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    expect(await getInProcess("guarded", url, env)).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(requests).toBe(0);
    expect(await getInProcess("fetch", url, env)).toBe("200");
  });

  test("https is followed to https, and not to http", async () => {
    setDefaultCACertificates([pem]);
    expect(await get(url, { maxRedirects: 1 })).toMatchObject({ status: 200 });
    const plain = await echoServer();
    requests = 0;
    location = plain.url;
    await expect(get(url, { maxRedirects: 1 })).rejects.toThrow(/from https to http:/);
    expect(plain.requests).toHaveLength(0);
  });
});

describe("time", () => {
  const agent = guardedAgent({ rules: [() => true] });
  const hasty = httpClientOver(agent, { headersMs: 50, bodyMs: 50 });

  test("a server that does not begin its answer", async () => {
    const { url } = await serve(() => undefined);
    await expect(hasty.get(new URL(url), OPTIONS)).rejects.toMatchObject({
      code: "UND_ERR_HEADERS_TIMEOUT",
    });
  });

  test("a server that does not go on", async () => {
    const { url } = await serve((_url, response) => void response.writeHead(200).write("x"));
    await expect(hasty.get(new URL(url), OPTIONS)).rejects.toMatchObject({ code: "UND_ERR_BODY_TIMEOUT" });
  });

  test.each([
    ["before the answer", () => undefined],
    ["within it", (_url: URL, response: ServerResponse) => void response.writeHead(200).write("x")],
  ])("an abort %s closes the socket, and its reason is the error", async (_when, handle) => {
    const arrived = Promise.withResolvers<IncomingMessage>();
    const { url } = await serve((path, response, request) => {
      handle(path, response);
      arrived.resolve(request);
    });
    const abort = new AbortController();
    const reason = new Error("too late");
    const asked = get(url, { signal: abort.signal });
    const { socket } = await arrived.promise;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await closed;
  });

  test("nothing is sent for a signal that has aborted already", async () => {
    const listener = await startListener("127.0.0.1");
    const reason = new Error("too late");
    const asked = get(`http://127.0.0.1:${listener.port}`, { signal: AbortSignal.abort(reason) });
    await expect(asked).rejects.toBe(reason);
    expect(listener.connections).toBe(0);
    await listener.close();
  });
});

test("proxies of the environment are not used", async () => {
  const proxy = await startListener("127.0.0.1");
  const { url } = await echoServer();
  const env = { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: `http://127.0.0.1:${proxy.port}` };
  expect(await getInProcess("guarded", url, env)).toBe("200");
  expect(proxy.connections).toBe(0);
  expect(await getInProcess("fetch", url, env)).not.toBe("200");
  expect(proxy.connections).toBeGreaterThan(0);
  await proxy.close();
});

/** What get.ts prints, started with these variables. */
async function getInProcess(client: "guarded" | "fetch", url: string, env: Record<string, string>) {
  const { stdout } = await runScript(new URL("./get.ts", import.meta.url), [client, url], env);
  return stdout.trim();
}
