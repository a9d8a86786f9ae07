import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "@jest/globals";
import { type ConnectOptions, connector } from "../../../src/cli/client.ts";
import { describeError } from "../../../src/cli/errors.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";

let server: LocalServer;
afterEach(() => server.close());

async function connectTo(
  handle: (request: IncomingMessage, response: ServerResponse, count: number) => void,
  options: Partial<ConnectOptions> = {},
) {
  let count = 0;
  server = await localServer((_url, response, request) => handle(request, response, ++count));
  return connector({ url: server.url, retryAfterMs: 0, timeoutMs: 60_000, ...options });
}

const listing = JSON.stringify({ conversations: [{ id: "1", message_count: 2, of_tomorrow: true }] });
const page = { pageSize: 0, pageToken: "" };

test("sends the contract's JSON with the key, below the URL's path", async () => {
  const seen: unknown[] = [];
  const connect = await connectTo(async (request, response) => {
    const { method, url, headers } = request;
    seen.push([method, url, headers["content-type"], headers.authorization, await text(request)]);
    response.end(listing);
  });
  const below = connector({ url: `${server.url}/parley/`, apiKey: "k1", timeoutMs: 60_000 });
  const { conversations } = await below().chat.ListConversations({ pageSize: 7, pageToken: "t" });
  expect(conversations).toEqual([expect.objectContaining({ id: "1", messageCount: 2, title: "" })]);
  await connect().chat.ListConversations(page);
  const path = "/twirp/acai.chat.ChatService/ListConversations";
  expect(seen).toEqual([
    ["POST", `/parley${path}`, "application/json", "Bearer k1", '{"page_size":7,"page_token":"t"}'],
    ["POST", path, "application/json", undefined, "{}"],
  ]);
});

describe("an error", () => {
  test("of the server comes as it is", async () => {
    const body = {
      code: "invalid_argument",
      msg: "message must not be blank",
      meta: { argument: "message" },
    };
    const connect = await connectTo((_request, response) =>
      response.writeHead(400).end(JSON.stringify(body)),
    );
    await expect(connect().chat.ListConversations(page)).rejects.toMatchObject(body);
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    [200, "<html>Welcome</html>", "internal"],
    [200, "[]", "internal"],
    [400, "", "internal"],
    [401, "Who are you?", "unauthenticated"],
    [403, "{}", "permission_denied"],
    [404, "<html>Nothing here</html>", "bad_route"],
    [418, "", "unknown"],
    [429, "", "unavailable"],
    [500, "{", "unknown"],
    [502, "Bad gateway", "unavailable"],
    [503, "", "unavailable"],
    [504, "", "unavailable"],
  ])("of something else with status %i and body %j is %s", async (status, body, code) => {
    const connect = await connectTo((_request, response) => response.writeHead(status).end(body));
    await expect(connect().chat.ListConversations(page)).rejects.toMatchObject({
      code,
      msg: expect.stringMatching(`^The server at ${server.url} .*HTTP status ${status}.* Check --url`),
      meta: { http_error_from_intermediary: "true", status_code: String(status) },
    });
  });

  test("of a redirection says where to", async () => {
    const connect = await connectTo((_request, response) =>
      response.writeHead(301, { location: "https://example.org/" }).end(),
    );
    await expect(connect().chat.ListConversations(page)).rejects.toMatchObject({
      code: "internal",
      msg: expect.stringContaining("to https://example.org/. Set --url"),
    });
  });

  test("of a server that stays silent says how long it was given", async () => {
    const connect = await connectTo(() => undefined, { timeoutMs: 10 });
    await expect(connect().chat.ListConversations(page)).rejects.toMatchObject({
      code: "deadline_exceeded",
      msg: expect.stringContaining("did not answer within 0.01 seconds"),
    });
    expect(server.requests).toHaveLength(1);
  });

  test("of a connection that breaks comes after two tries", async () => {
    const connect = await connectTo((request) => request.socket.destroy());
    await expect(connect().chat.ListConversations(page)).rejects.toMatchObject({
      code: "unavailable",
      msg: expect.stringContaining("broke off the connection"),
    });
    expect(server.requests).toHaveLength(2);
  });

  test("of a server without TLS that is asked with https says so", async () => {
    await connectTo(() => undefined);
    const connect = connector({
      url: server.url.replace("http:", "https:"),
      retryAfterMs: 0,
      timeoutMs: 60_000,
    });
    await expect(connect().chat.ListConversations(page)).rejects.toMatchObject({
      code: "unavailable",
      msg: expect.stringMatching(/does not speak TLS\. Set --url .* http:\/\/$/),
    });
  });

  test("of a path where there is no Parley is told what to mend", async () => {
    const body = {
      code: "bad_route",
      msg: "There is nothing at this path.",
      meta: { twirp_invalid_route: "POST /x" },
    };
    const connect = await connectTo((_request, response) =>
      response.writeHead(404).end(JSON.stringify(body)),
    );
    const error = await connect()
      .chat.ListConversations(page)
      .catch((thrown: unknown) => thrown);
    expect(describeError(error)).toBe("There is nothing at this path.\nCheck --url (or API_URL).");
  });

  test("of a machine that does not exist names it", async () => {
    const connect = await connectTo(() => undefined);
    await connect; // The server is only here to be closed.
    const nowhere = connector({ url: "http://parley.invalid", retryAfterMs: 0, timeoutMs: 60_000 });
    await expect(nowhere().chat.ListConversations(page)).rejects.toMatchObject({
      code: "unavailable",
      msg: expect.stringContaining("parley.invalid"),
    });
  });

  test("of a missing key says how to set it", async () => {
    const body = JSON.stringify({ code: "unauthenticated", msg: "A key is needed.", meta: {} });
    const connect = await connectTo((_request, response) => response.writeHead(401).end(body));
    const error = await connect().chat.ListConversations(page).catch(describeError);
    expect(error).toBe("A key is needed.\nSet API_KEY to a key that the server takes.");
  });
});

test("an unavailable server is asked once more, with the very same request", async () => {
  const bodies: string[] = [];
  const connect = await connectTo(async (request, response, count) => {
    bodies.push(await text(request));
    if (count === 1) response.writeHead(503).end('{"code":"unavailable","msg":"Stopping","meta":{}}');
    else response.end('{"conversation_id":"1","title":"T","reply":"Hi"}');
  });
  const answer = await connect().chat.StartConversation({ message: "Hello", idempotencyKey: "k" });
  expect(answer.reply).toBe("Hi");
  expect(bodies).toEqual(Array(2).fill('{"message":"Hello","idempotency_key":"k"}'));
});

describe("an interrupt", () => {
  test("ends a request under way", async () => {
    const interrupt = new AbortController();
    const connect = await connectTo(() => interrupt.abort());
    await expect(connect(interrupt.signal).chat.ListConversations(page)).rejects.toMatchObject({
      code: "canceled",
    });
    expect(server.requests).toHaveLength(1);
  });

  test("ends the wait between two tries", async () => {
    const interrupt = new AbortController();
    const connect = await connectTo(
      (_request, response) => {
        response.writeHead(503).end();
        response.once("close", () => setImmediate(() => interrupt.abort()));
      },
      { retryAfterMs: 60_000 },
    );
    await expect(connect(interrupt.signal).chat.ListConversations(page)).rejects.toMatchObject({
      code: "canceled",
    });
    expect(server.requests).toHaveLength(1);
  });

  test("ends the second try", async () => {
    const interrupt = new AbortController();
    const connect = await connectTo((_request, response, count) => {
      if (count === 1) response.writeHead(503).end();
      else interrupt.abort();
    });
    await expect(connect(interrupt.signal).chat.ListConversations(page)).rejects.toMatchObject({
      code: "canceled",
    });
    expect(server.requests).toHaveLength(2);
  });
});
