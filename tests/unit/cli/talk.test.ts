import { describe, expect, test } from "@jest/globals";
import { interruptedError } from "../../../src/cli/errors.ts";
import { describeConversation, listConversations } from "../../../src/cli/pages.ts";
import { Talk } from "../../../src/cli/talk.ts";
import {
  type ContinueConversationRequest,
  Conversation,
  type DescribeConversationRequest,
  type EndSessionRequest,
  type ListConversationsRequest,
  SessionMetadata,
  type StartConversationRequest,
} from "../../../src/gen/acai/chat/chat";
import type { ChatServiceClient } from "../../../src/gen/acai/chat/chat.twirp-client";

type Request =
  | StartConversationRequest
  | ContinueConversationRequest
  | ListConversationsRequest
  | DescribeConversationRequest
  | EndSessionRequest;

/** A server in a few lines: each method takes down its requests, and answers or is overridden. */
function fakeServer(overrides: Partial<ChatServiceClient> = {}) {
  const calls: [method: string, request: Request][] = [];
  const answer = { conversationId: "c1", title: "Title", reply: "Reply" };
  const methods: ChatServiceClient = {
    StartConversation: async () => answer,
    ContinueConversation: async () => answer,
    ListConversations: async () => ({ conversations: [], nextPageToken: "" }),
    DescribeConversation: async () => ({ nextPageToken: "" }),
    EndSession: async () => ({}),
    ...overrides,
  };
  const taken = <R extends Request, A>(name: string, method: (request: R) => Promise<A>) => {
    return (request: R) => {
      calls.push([name, request]);
      return method(request);
    };
  };
  const client: ChatServiceClient = {
    StartConversation: taken("start", methods.StartConversation),
    ContinueConversation: taken("continue", methods.ContinueConversation),
    ListConversations: taken("list", methods.ListConversations),
    DescribeConversation: taken("describe", methods.DescribeConversation),
    EndSession: taken("end", methods.EndSession),
  };
  return { client, calls, connect: () => ({ chat: client }) };
}

const metadata = SessionMetadata.create({ timezone: "Europe/Madrid", locale: "ca-ES" });

describe("a talk", () => {
  test("starts a conversation and goes on in it, each message with a key of its own", async () => {
    const { connect, calls } = fakeServer();
    const talk = new Talk({ connect, metadata });
    expect(talk.conversationId).toBeUndefined();
    expect(await talk.say("One")).toMatchObject({ conversationId: "c1", title: "Title", reply: "Reply" });
    await talk.say("Two");
    expect(calls).toEqual([
      ["start", { message: "One", sessionMetadata: metadata, idempotencyKey: expect.any(String) }],
      ["continue", expect.objectContaining({ conversationId: "c1", message: "Two" })],
    ]);
    const keys = calls.map(([, request]) => "idempotencyKey" in request && request.idempotencyKey);
    expect(new Set(keys).size).toBe(2);
  });

  test("goes on with a conversation that is given", async () => {
    const { connect, calls } = fakeServer();
    await new Talk({ connect, metadata, conversationId: "c9" }).say("One");
    expect(calls).toEqual([["continue", expect.objectContaining({ conversationId: "c9" })]]);
  });

  test("interrupted on its first message, learns its conversation before the second", async () => {
    const interrupt = new AbortController();
    const { connect, calls } = fakeServer({
      async StartConversation() {
        if (interrupt.signal.aborted) return { conversationId: "c1", title: "T", reply: "R" };
        interrupt.abort();
        throw interruptedError();
      },
    });
    const talk = new Talk({ connect, metadata });
    await expect(talk.say("One", interrupt.signal)).rejects.toMatchObject({ code: "canceled" });
    await talk.say("Two");
    expect(calls.map(([method]) => method)).toEqual(["start", "start", "continue"]);
    expect(calls[1]).toEqual(calls[0]);
    expect(calls[2]?.[1]).toMatchObject({ conversationId: "c1", message: "Two" });
  });

  test("whose interrupted message failed on the server begins anew", async () => {
    const interrupt = new AbortController();
    const failures = [interruptedError(), new Error("It failed")];
    const { connect, calls } = fakeServer({
      async StartConversation() {
        interrupt.abort();
        const failure = failures.shift();
        if (failure) throw failure;
        return { conversationId: "c2", title: "T", reply: "R" };
      },
    });
    const talk = new Talk({ connect, metadata });
    await talk.say("One", interrupt.signal).catch(() => undefined);
    await talk.say("Two");
    expect(calls.map(([, request]) => "message" in request && request.message)).toEqual([
      "One",
      "One",
      "Two",
    ]);
    expect(talk.conversationId).toBe("c2");
  });

  test("whose first message failed begins anew", async () => {
    let failed = false;
    const { connect, calls } = fakeServer({
      async StartConversation() {
        if (failed) return { conversationId: "c1", title: "T", reply: "R" };
        failed = true;
        throw new Error("It failed");
      },
    });
    const talk = new Talk({ connect, metadata });
    await expect(talk.say("One")).rejects.toThrow("It failed");
    await talk.say("Two");
    expect(calls.map(([, request]) => "message" in request && request.message)).toEqual(["One", "Two"]);
  });
});

describe("pages", () => {
  function pagedServer(total: number) {
    return fakeServer({
      async ListConversations({ pageSize, pageToken }) {
        const from = Number(pageToken || 0);
        const to = Math.min(from + pageSize, total);
        const conversations = Array.from({ length: to - from }, (_, index) =>
          Conversation.create({ id: String(from + index) }),
        );
        return { conversations, nextPageToken: to < total ? String(to) : "" };
      },
    });
  }

  test.each([
    ["fewer than there are", 20, 500, 20, [20]],
    ["all of a few", Number.POSITIVE_INFINITY, 3, 3, [200]],
    ["all of many", Number.POSITIVE_INFINITY, 450, 450, [200, 200, 200]],
    ["more than a page", 250, 500, 250, [200, 50]],
  ])("of conversations: %s", async (_name, limit, total, count, sizes) => {
    const { client, calls } = pagedServer(total);
    const found = await listConversations(client, limit);
    expect(found.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, index) => String(index)));
    expect(calls.map(([, request]) => "pageSize" in request && request.pageSize)).toEqual(sizes);
  });

  test("of messages: all, in order", async () => {
    const { client } = fakeServer({
      async DescribeConversation({ pageToken }) {
        const conversation = Conversation.create({ id: "c1", messages: [{ content: `page ${pageToken}` }] });
        return { conversation, nextPageToken: { "": "2", "2": "3" }[pageToken] ?? "" };
      },
    });
    const { messages } = await describeConversation(client, "c1");
    expect(messages.map(({ content }) => content)).toEqual(["page ", "page 2", "page 3"]);
  });
});
