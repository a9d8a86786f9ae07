import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { encodePageToken } from "../../../../src/core/chat/page.ts";
import type { TranscriptMessage } from "../../../../src/core/chat/transcript.ts";
import { ChatWorld, type ServerProcess } from "../../../support/chat-world.ts";
import { settle } from "../../../support/fake-clock.ts";
import { calls, hangs, type ScriptedAnswer, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { beginStored, endStored } from "../../../support/stored-turns.ts";
import { echoTool } from "../../../support/tools.ts";

let world: ChatWorld;
beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

const BAD_TOKEN = { code: "invalid_argument", meta: { argument: "page_token" } };
const UNKNOWN = "0123456789abcdef01234567";

function list(server: ServerProcess, pageSize = 0, pageToken = "", owner = "ann") {
  return server.chat.list(world.context(owner), { pageSize, pageToken });
}

function describeConversation(server: ServerProcess, conversationId: string, pageSize = 0, pageToken = "") {
  return server.chat.describe(world.context(), { conversationId, pageSize, pageToken });
}

/** A conversation with one turn for each answer, the last one maybe still running. */
async function conversation(answers: readonly ScriptedAnswer[], running = false) {
  const model = new ScriptedModel(...answers, ...(running ? [hangs] : []));
  const server = world.process(model, { tools: [echoTool()] });
  const said = {
    session: { platform: "p", userId: "u", chatId: world.ids.next(), timezone: "", locale: "" },
  };
  let count = 0;
  const say = () => server.continue(`q${++count}`, said).catch(() => undefined);
  while (count < answers.length) {
    await say();
    await world.clock.advance(1_000);
  }
  let stop = async () => {};
  if (running) {
    const left = say();
    await settle();
    stop = async () => {
      await Promise.all([server.runner.stop(0), world.clock.advance(0), left]);
    };
  }
  const [newest] = await server.store.listConversations("ann", 1);
  return { server, id: newest?.id ?? "", stop };
}

async function allPages(server: ServerProcess, id: string, size: number) {
  const pages: TranscriptMessage[][] = [];
  let token = "";
  do {
    const page = await describeConversation(server, id, size, token);
    pages.push(page.messages);
    token = page.nextPageToken;
  } while (token !== "" && pages.length < 100);
  return pages;
}

const contents = (messages: readonly TranscriptMessage[]) => messages.map(({ content }) => content);
const failure = new Error("boom");

describe("describe", () => {
  test("shows the conversation and its messages, oldest first", async () => {
    const { server, id } = await conversation([says("a1")]);
    const { conversation: found, messages, nextPageToken } = await describeConversation(server, id);
    expect(found).toMatchObject({ id, title: "A title", turnCount: 1, messageCount: 2 });
    expect(messages).toMatchObject([
      { role: "user", content: "q1", toolCalls: [], messageId: expect.stringMatching(/^[0-9a-f]{24}$/) },
      { role: "assistant", content: "a1", toolCalls: [] },
    ]);
    expect(nextPageToken).toBe("");
  });

  test("a page of long messages ends early, and the next one goes on", async () => {
    const { server, id } = await conversation([says("a1")]);
    const long = "x".repeat(900_000);
    for (let turn = 0; turn < 6; turn++) await addTurn(server, id, long);
    const pages = await allPages(server, id, 500);
    expect(pages.map(({ length }) => length)).toEqual([12, 2]);
    expect(pages.flat().filter(({ content }) => content === long)).toHaveLength(6);
  });

  test("shows the tool calls of all steps beside the reply, and no words of the steps between", async () => {
    const model = new ScriptedModel(
      [{ type: "text", text: "Let me look" }, ...calls({ arguments: '{"text":"a"}' })],
      calls({ name: "nope" }),
      says("Found"),
    );
    const server = world.process(model, { tools: [echoTool()] });
    const { conversationId } = await server.start("Look");
    const { messages } = await describeConversation(server, conversationId);
    expect(contents(messages)).toEqual(["Look", "Found"]);
    expect(messages[1]?.toolCalls).toMatchObject([
      { name: "echo", arguments: '{"text":"a"}', result: '{"text":"a"}' },
      { name: "nope", error: expect.stringContaining("no tool named nope") },
    ]);
  });

  test("shows of a failed and of a running turn the user's message", async () => {
    const { server, id, stop } = await conversation([failure, says("a2")], true);
    expect(contents((await describeConversation(server, id)).messages)).toEqual(["q1", "q2", "a2", "q3"]);
    await stop();
  });

  test("pages over the two sides of a turn", async () => {
    const { server, id } = await conversation([says("a1"), says("a2"), failure, says("a4")]);
    expect((await allPages(server, id, 1)).map(contents)).toEqual(
      ["q1", "a1", "q2", "a2", "q3", "q4", "a4"].map((content) => [content]),
    );
    expect((await allPages(server, id, 3)).map(contents)).toEqual([
      ["q1", "a1", "q2"],
      ["a2", "q3", "q4"],
      ["a4"],
    ]);
    expect((await allPages(server, id, 7)).map(contents)).toHaveLength(1);
  });

  test("has for any page size the whole transcript, in full pages but the last", async () => {
    const kinds = fc.array(fc.boolean(), { minLength: 1, maxLength: 7 });
    const check = fc.asyncProperty(
      kinds,
      fc.boolean(),
      fc.integer({ min: 1, max: 9 }),
      async (turns, running, size) => {
        const { server, id, stop } = await conversation(
          turns.map((completes) => (completes ? says("a") : failure)),
          running,
        );
        const { messages } = await describeConversation(server, id, 500);
        expect(messages).toHaveLength(
          turns.reduce((sum, completes) => sum + (completes ? 2 : 1), Number(running)),
        );
        const pages = await allPages(server, id, size);
        expect(pages.flat()).toEqual(messages);
        expect(pages.slice(0, -1).every((page) => page.length === size)).toBe(true);
        expect(pages.at(-1)?.length).toBeGreaterThan(0);
        await stop();
      },
    );
    await fc.assert(check, { numRuns: 15 });
  });

  test("has a hundred messages to a page by default, and at most five hundred", async () => {
    const { server, id } = await conversation([says("a")]);
    for (let seq = 2; seq <= 260; seq++) await addTurn(server, id);
    expect((await describeConversation(server, id)).messages).toHaveLength(100);
    expect((await describeConversation(server, id, 4_294_967_295)).messages).toHaveLength(500);
    expect((await allPages(server, id, 500)).map((page) => page.length)).toEqual([500, 20]);
  });

  test("has pages that stay valid while messages are added", async () => {
    const { server, id } = await conversation([says("a1"), says("a2")]);
    const first = await describeConversation(server, id, 3);
    await addTurn(server, id);
    const rest = await describeConversation(server, id, 9, first.nextPageToken);
    expect(contents([...first.messages, ...rest.messages])).toEqual([
      "q1",
      "a1",
      "q2",
      "a2",
      "added",
      "reply",
    ]);
  });

  test("of an empty id is refused; of a malformed, unknown or another's it finds nothing", async () => {
    const { server, id } = await conversation([says("a")]);
    await expect(describeConversation(server, "")).rejects.toMatchObject({
      code: "invalid_argument",
      meta: { argument: "conversation_id" },
    });
    for (const unknown of ["x", " ", id.toUpperCase().replace(/^./, "A"), UNKNOWN]) {
      await expect(describeConversation(server, unknown)).rejects.toMatchObject({ code: "not_found" });
    }
    const foreign = server.chat.describe(world.context("bob"), {
      conversationId: id,
      pageSize: 0,
      pageToken: "",
    });
    await expect(foreign).rejects.toMatchObject({ code: "not_found" });
  });

  test("past the end shows an empty last page", async () => {
    const { server, id } = await conversation([failure]);
    for (const position of [
      { seq: 1, part: 1 },
      { seq: 2, part: 0 },
      { seq: Number.MAX_SAFE_INTEGER, part: 0 },
    ]) {
      const page = await describeConversation(server, id, 5, encodePageToken(position));
      expect(page).toMatchObject({ messages: [], nextPageToken: "" });
    }
  });
});

describe("list", () => {
  async function started(count: number): Promise<ServerProcess> {
    const server = world.process(new ScriptedModel(...Array.from({ length: count }, () => says("ok"))));
    for (let index = 0; index < count; index++) {
      await server.start(`m${index}`);
      if (index % 3 === 0) await world.clock.advance(1);
    }
    return server;
  }

  test("shows the newest first, page by page, each conversation once", async () => {
    const server = await started(11);
    const whole = await list(server, 200);
    expect(whole.conversations).toHaveLength(11);
    expect(whole.nextPageToken).toBe("");
    const times = whole.conversations.map(({ createdAt }) => createdAt);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    for (const size of [1, 2, 5, 10, 11, 12]) {
      const pages = [];
      let token = "";
      do {
        const page = await list(server, size, token);
        pages.push(page.conversations);
        token = page.nextPageToken;
      } while (token !== "");
      expect(pages.flat()).toEqual(whole.conversations);
      expect(pages).toHaveLength(Math.ceil(11 / size));
    }
  });

  test("stays in place while conversations are added", async () => {
    const server = await started(4);
    const first = await list(server, 2);
    const before = (await list(server, 9)).conversations;
    await addConversation(server);
    const rest = await list(server, 9, first.nextPageToken);
    expect([...first.conversations, ...rest.conversations]).toEqual(before);
  });

  test("has fifty to a page by default, and at most two hundred", async () => {
    const server = world.process(new ScriptedModel());
    for (let count = 0; count < 201; count++) await addConversation(server);
    expect((await list(server)).conversations).toHaveLength(50);
    expect((await list(server, 4_294_967_295)).conversations).toHaveLength(200);
  });

  test("shows an owner's own only; none is an empty page", async () => {
    const server = await started(1);
    expect(await list(server, 0, "", "bob")).toEqual({ conversations: [], nextPageToken: "" });
  });
});

describe("a page token", () => {
  const forged = (position: unknown) => encodePageToken(position);
  const forList = forged({ createdAt: 1, id: UNKNOWN });
  const forDescribe = forged({ seq: 1, part: 0 });
  const never = [
    "x",
    "%%%",
    "🌦",
    forged(null),
    forged([]),
    forged("1"),
    forged({}),
    Buffer.from("{").toString("base64url"),
  ];

  test.each([...never, forDescribe, forged({ createdAt: "1", id: UNKNOWN }), forged({ createdAt: 1 })])(
    "%j is none of list's",
    async (token) => {
      await expect(list(world.process(new ScriptedModel()), 0, token)).rejects.toMatchObject(BAD_TOKEN);
    },
  );

  test.each([
    ...never,
    forList,
    forged({ seq: 0, part: 0 }),
    forged({ seq: 1.5, part: 0 }),
    forged({ seq: 1e300, part: 0 }),
    forged({ seq: 1, part: 2 }),
    forged({ seq: "1", part: 0 }),
  ])("%j is none of describe's", async (token) => {
    const { server, id } = await conversation([says("a")]);
    await expect(describeConversation(server, id, 0, token)).rejects.toMatchObject(BAD_TOKEN);
  });

  test("is opaque, and fit for a URL", async () => {
    const { server, id } = await conversation([says("a")]);
    const { nextPageToken } = await describeConversation(server, id, 1);
    expect(nextPageToken).toMatch(/^[\w-]+$/);
  });
});

/** Adds a completed turn without asking a model. */
async function addTurn({ store }: ServerProcess, conversationId: string, reply = "reply"): Promise<void> {
  const turn = await beginStored(world, store, { conversationId, content: "added" });
  await endStored(world, store, turn, reply);
}

function addConversation(server: ServerProcess): Promise<void> {
  return addTurn(server, world.ids.next());
}
