import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { AppError, ERROR_CODES } from "../../../src/core/errors.ts";
import { ChatService } from "../../../src/gen/acai/chat/chat";
import { HTTP_STATUS } from "../../../src/transport/error-map.ts";
import type { HttpServer } from "../../../src/transport/http-server.ts";
import { BodyReader } from "../../../src/transport/incoming/body.ts";
import { TwirpRouter } from "../../../src/transport/twirp/router.ts";
import { openHttpServer } from "../../support/http-server.ts";
import type { TestLog } from "../../support/test-log.ts";
import {
  decodeResponse,
  ENCODINGS,
  type ErrorBody,
  encodeRequest,
  METHODS,
  post,
} from "../../support/twirp.ts";

const MAX_BODY_BYTES = 4_096;

/** A full example of every request and response of the contract. */
const time = { seconds: 1_795_000_000, nanos: 5_000_000 };
const conversation = {
  id: "0123456789abcdef01234567",
  title: "Weather in Barcelona",
  timestamp: time,
  updatedAt: time,
  messageCount: 1,
  messages: [
    {
      id: "0123456789abcdef01234568",
      role: 2,
      content: "It is sunny. ☀️",
      timestamp: time,
      toolCalls: [
        { name: "a", arguments: "{}", outcome: { oneofKind: "result", result: "{}" }, durationMs: 3 },
        { name: "b", arguments: "{", outcome: { oneofKind: "error", error: "no" }, durationMs: 0 },
      ],
    },
  ],
};
const sessionMetadata = { platform: "p", userId: "u", chatId: "c", timezone: "UTC", locale: "en" };
const EXAMPLES: Record<string, { request: object; response: object }> = {
  StartConversation: {
    request: { message: "Hi", sessionMetadata, idempotencyKey: "k" },
    response: { conversationId: conversation.id, title: "T", reply: "R" },
  },
  ContinueConversation: {
    request: { conversationId: conversation.id, message: "Hi", sessionMetadata, idempotencyKey: "k" },
    response: { conversationId: conversation.id, title: "T", reply: "R" },
  },
  ListConversations: {
    request: { pageSize: 2, pageToken: "x" },
    response: { conversations: [conversation], nextPageToken: "y" },
  },
  DescribeConversation: {
    request: { conversationId: conversation.id, pageSize: 2, pageToken: "x", sessionMetadata },
    response: { conversation, nextPageToken: "" },
  },
  EndSession: {
    request: { sessionMetadata, idempotencyKey: "k" },
    response: {},
  },
};

let url: string;
let server: HttpServer;
let log: TestLog;
let received: object[];
let behaviour: (method: string) => Promise<object>;

beforeAll(async () => {
  ({ server, log } = openHttpServer(
    (method, request) => {
      received.push(request);
      return behaviour(method);
    },
    { bodies: new BodyReader(MAX_BODY_BYTES) },
  ));
  url = await server.listen("127.0.0.1", 0);
});
afterAll(() => server.close(0));

beforeEach(() => {
  received = [];
  behaviour = async (method) => EXAMPLES[method]?.response ?? {};
});

async function expectError(response: Response, code: string): Promise<ErrorBody> {
  expect(response.headers.get("content-type")).toBe("application/json");
  const body = (await response.json()) as ErrorBody;
  expect(body.code).toBe(code);
  expect(response.status).toBe(HTTP_STATUS[code as keyof typeof HTTP_STATUS]);
  expect(Object.keys(body)).toEqual(["code", "msg", "meta"]);
  expect(body.msg.length).toBeGreaterThan(0);
  for (const value of Object.values(body.meta)) expect(typeof value).toBe("string");
  return body;
}

describe.each(METHODS.map((method) => ({ method, name: method.name })))("$name", ({ method, name }) => {
  const example = EXAMPLES[name];
  if (!example) throw new Error(`There is no example of ${name}`);

  describe.each(ENCODINGS)("%s", (encoding) => {
    const body = encodeRequest(method, example.request, encoding);

    test("hands the request to its handler, and the response back, in the request's encoding", async () => {
      const response = await post(url, name, body, { "content-type": encoding });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(encoding);
      expect(received).toEqual([method.I.create(example.request)]);
      expect(await decodeResponse(method, response)).toEqual(method.O.create(example.response));
    });

    test.each([`${encoding}; charset=utf-8`, encoding.toUpperCase(), ` ${encoding} ;x=y`])(
      "takes the content type %p",
      async (contentType) => {
        const response = await post(url, name, body, { "content-type": contentType });
        expect(response.status).toBe(200);
      },
    );

    test("ignores a query", async () => {
      const response = await post(url, `${name}?a=b`, body, { "content-type": encoding });
      expect(response.status).toBe(200);
    });

    test.each(ERROR_CODES)("an error %s has its status, and a body of code, msg and meta", async (code) => {
      behaviour = async () => {
        throw new AppError(code, "What went wrong", { meta: { argument: "x" }, cause: new Error("secret") });
      };
      const error = await expectError(await post(url, name, body, { "content-type": encoding }), code);
      expect(error.msg).toBe("What went wrong");
      expect(error.meta).toMatchObject({ argument: "x" });
      expect(JSON.stringify(error)).not.toContain("secret");
    });

    test("a bug answers internal, with a fixed text and the request's id", async () => {
      behaviour = async () => {
        throw new TypeError("secret of the house");
      };
      const error = await expectError(await post(url, name, body, { "content-type": encoding }), "internal");
      expect(error.meta).toEqual({ request_id: "request-1" });
      expect(JSON.stringify(error)).not.toContain("secret");
      expect(log.lines.some(({ fields }) => (fields.err as Error)?.message === "secret of the house")).toBe(
        true,
      );
    });

    test.each(["GET", "PUT", "DELETE", "PATCH"])("%s is a bad route", async (httpMethod) => {
      const path = `/twirp/acai.chat.ChatService/${name}`;
      const response = await fetch(url + path, { method: httpMethod, headers: { "content-type": encoding } });
      const error = await expectError(response, "bad_route");
      expect(error.meta).toEqual({ twirp_invalid_route: `${httpMethod} ${path}` });
    });

    test.each([
      `/twirp/acai.chat.ChatService/${name}s`,
      `/twirp/acai.chat.ChatService/${name.toLowerCase()}`,
      `/twirp/acai.chat.ChatService/${name}/`,
      `/twirp/acai.chat.OtherService/${name}`,
      `/twirp/ChatService/${name}`,
      `/acai.chat.ChatService/${name}`,
      `/twirp//acai.chat.ChatService/${name}`,
      "/twirp/acai.chat.ChatService",
      "/",
    ])("%s is a bad route", async (path) => {
      const response = await fetch(url + path, {
        method: "POST",
        body,
        headers: { "content-type": encoding },
      });
      const error = await expectError(response, "bad_route");
      expect(error.meta).toEqual({ twirp_invalid_route: `POST ${path}` });
      expect(received).toEqual([]);
    });

    test.each(["text/plain", "application/x-protobuf", "application/jsonx", "json", ""])(
      "the content type %p is a bad route",
      async (contentType) => {
        const error = await expectError(
          await post(url, name, body, { "content-type": contentType }),
          "bad_route",
        );
        expect(error.meta).toEqual({ twirp_invalid_route: `POST /twirp/acai.chat.ChatService/${name}` });
      },
    );

    const undecodable =
      encoding === "application/json"
        ? [
            "",
            "{",
            "[]",
            "null",
            '"text"',
            "5",
            '{"message": 5, "page_size": "x", "conversation_id": {}, "session_metadata": 5}',
            "\xff",
          ]
        : ["\x0a", "\x0a\xff", "\x0f"];
    test.each(undecodable)("the body %p is malformed", async (body) => {
      const bytes = new Uint8Array(Buffer.from(body, "latin1"));
      await expectError(await post(url, name, bytes, { "content-type": encoding }), "malformed");
      expect(received).toEqual([]);
    });

    test("ignores fields it does not know", async () => {
      const extended =
        encoding === "application/json"
          ? new TextEncoder().encode('{"brand_new": {"a": [1]}}')
          : new Uint8Array([0xfa, 0x7f, 0x01, 0x61]);
      const response = await post(url, name, extended, { "content-type": encoding });
      expect(response.status).toBe(200);
    });

    test.each([true, false])("a body over the limit is refused (length announced: %p)", async (announced) => {
      const large = new Uint8Array(MAX_BODY_BYTES + 1);
      const response = await fetch(`${url}/twirp/acai.chat.ChatService/${name}`, {
        method: "POST",
        headers: { "content-type": encoding },
        body: announced ? large : new Blob([large]).stream(),
        duplex: "half",
      } as RequestInit);
      const error = await expectError(response, "resource_exhausted");
      expect(error.msg).toContain(`${MAX_BODY_BYTES}`);
      expect(received).toEqual([]);
    });

    test("a body of exactly the limit is read", async () => {
      const padded = Buffer.from(`{}${" ".repeat(MAX_BODY_BYTES - 2)}`);
      const bytes = encoding === "application/json" ? new Uint8Array(padded) : body;
      expect((await post(url, name, bytes, { "content-type": encoding })).status).toBe(200);
    });
  });

  test("JSON has the names of the .proto file, and writes out defaults", async () => {
    behaviour = async () => method.O.create({});
    const response = await post(url, name, "{}");
    const json = (await response.json()) as object;
    const expected: Record<string, object> = {
      StartConversation: { conversation_id: "", title: "", reply: "" },
      ContinueConversation: { reply: "", conversation_id: "", title: "" },
      ListConversations: { conversations: [], next_page_token: "" },
      DescribeConversation: { conversation: null, next_page_token: "" },
      EndSession: {},
    };
    expect(json).toEqual(expected[name]);
  });

  test("JSON takes the names of the .proto file and lowerCamelCase", async () => {
    await post(url, name, '{"conversation_id": "a", "page_size": 3}');
    await post(url, name, '{"conversationId": "a", "pageSize": 3}');
    expect(received[0]).toEqual(received[1]);
  });
});

test("JSON of a conversation on the wire", async () => {
  const response = await post(url, "DescribeConversation", "{}");
  expect(await response.json()).toEqual({
    conversation: {
      id: conversation.id,
      title: conversation.title,
      timestamp: "2026-11-18T11:06:40.005Z",
      updated_at: "2026-11-18T11:06:40.005Z",
      message_count: 1,
      messages: [
        {
          id: "0123456789abcdef01234568",
          role: "ASSISTANT",
          content: "It is sunny. ☀️",
          timestamp: "2026-11-18T11:06:40.005Z",
          tool_calls: [
            { name: "a", arguments: "{}", result: "{}", duration_ms: 3 },
            { name: "b", arguments: "{", error: "no", duration_ms: 0 },
          ],
        },
      ],
    },
    next_page_token: "",
  });
});

describe("around the router", () => {
  test("a client's request id comes back, an unfit one does not", async () => {
    const fit = await post(url, "ListConversations", "{}", {
      "content-type": "application/json",
      "x-request-id": "abc-1",
    });
    expect(fit.headers.get("x-request-id")).toBe("abc-1");
    const unfit = await post(url, "ListConversations", "{}", {
      "content-type": "application/json",
      "x-request-id": "a b",
    });
    expect(unfit.headers.get("x-request-id")).toBe("request-1");
  });

  test("a page that there is none of is told so, whatever it is asked with", async () => {
    const error = await expectError(await fetch(`${url}/`), "bad_route");
    expect(error.msg).toMatch(/^There is nothing at this path\. Methods are at /);
  });

  test("a body that is no JSON is told from one with a field that does not fit", async () => {
    const noJson = await expectError(await post(url, "StartConversation", "secret"), "malformed");
    expect(noJson.msg).toMatch(/is not JSON in UTF-8/);
    expect(JSON.stringify(noJson)).not.toContain("secret");
    const misfit = await expectError(
      await post(url, "StartConversation", '{"session_metadata": {"user_id": 123456}}'),
      "malformed",
    );
    expect(misfit).toMatchObject({ meta: { argument: "user_id" } });
    expect(misfit.msg).toMatch(
      /is not the JSON of acai\.chat\.StartConversationRequest: user_id does not fit/,
    );
    expect(JSON.stringify(misfit)).not.toContain("123456");
  });

  test.each([
    ["1.0", /^HTTP\/1\.1 200 /],
    ["1.1", /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /],
  ])("a client of HTTP/%s that expects 100-continue", async (version, answer) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /twirp/acai.chat.ChatService/ListConversations HTTP/${version}\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
    );
    expect(await text(socket)).toMatch(answer);
  });

  test("a target that names the server before its path", async () => {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET HTTP://${host}/health?a=b HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("a compressed body is refused by a text that says so, one that is called as it is read", async () => {
    const send = (encoding: string, body: Uint8Array<ArrayBuffer>) =>
      post(url, "ListConversations", body, {
        "content-type": "application/json",
        "content-encoding": encoding,
      });
    const body = new TextEncoder().encode("{}");
    const error = await expectError(await send("gzip", new Uint8Array(gzipSync(body))), "malformed");
    expect(error.msg).toMatch(/without Content-Encoding/);
    expect((await send("identity", body)).status).toBe(200);
  });

  test("the log names routes of the contract only, and no query", async () => {
    log.lines.length = 0;
    await fetch(`${url}/secret-path?token=t`);
    await post(url, "ListConversations?token=t", "{}");
    const paths = log.lines.filter(({ message }) => message === "Request").map(({ fields }) => fields.path);
    expect(paths).toEqual(["other", "/twirp/acai.chat.ChatService/ListConversations"]);
    expect(JSON.stringify(log.lines)).not.toMatch(/secret-path|token/);
  });

  test("a client that goes away in mid-body harms nothing", async () => {
    const { hostname, port } = new URL(url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          "POST /twirp/acai.chat.ChatService/ListConversations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
          () => socket.destroy(),
        );
      });
      socket.on("close", () => resolve());
    });
    expect((await post(url, "ListConversations", "{}")).status).toBe(200);
  });

  test("health and readiness answer GET", async () => {
    const health = await fetch(`${url}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: "ok" }]);
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: "ready", dependencies: {} }]);
  });
});

test("a response that can't be encoded is a bug", async () => {
  behaviour = async () => ({ conversations: 5, nextPageToken: "" });
  await expectError(await post(url, "ListConversations", "{}"), "internal");
});

test("a method without a handler is found at start", () => {
  expect(() => new TwirpRouter([{ type: ChatService, handlers: {} }])).toThrow("has no handler");
});
