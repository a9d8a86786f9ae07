import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ChatWorld, MAX_MESSAGE_CHARS, SESSION_TTL_MS, session } from "../../../support/chat-world.ts";
import { fails } from "../../../support/faults.ts";
import { ScriptedModel, says } from "../../../support/scripted-model.ts";

let world: ChatWorld;
beforeEach(async () => {
  world = await ChatWorld.open();
});
afterEach(() => world.close());

const UNKNOWN = "0123456789abcdef01234567";
const argument = (name: string) => ({ code: "invalid_argument", meta: { argument: name } });

function server(...replies: string[]) {
  return world.process(new ScriptedModel(...replies.map((reply) => says(reply))));
}

describe("a message", () => {
  test.each(["", " ", "\n\t\u00a0\u3000", "\u200b\u2060\ufeff"])(
    "of blanks, %j, is refused",
    async (message) => {
      await expect(server().start(message)).rejects.toMatchObject({
        ...argument("message"),
        publicMessage: "message must not be blank",
      });
      await expect(server().continue(message, { conversationId: UNKNOWN })).rejects.toMatchObject(
        argument("message"),
      );
    },
  );

  test.each(["x", "é", "🌦"])("is measured in code points: of %s", async (unit) => {
    const chat = server("ok");
    expect((await chat.start(unit.repeat(MAX_MESSAGE_CHARS))).reply).toBe("ok");
    await expect(chat.start(unit.repeat(MAX_MESSAGE_CHARS + 1))).rejects.toMatchObject({
      ...argument("message"),
      publicMessage: `message must have at most ${MAX_MESSAGE_CHARS} characters`,
    });
  });

  test("with half a surrogate pair is stored and asked as well-formed text", async () => {
    const model = new ScriptedModel(says("ok"));
    const chat = world.process(model);
    const { conversationId, title } = await chat.start("a\ud83cb");
    expect(model.requests[0]?.messages.at(-1)?.content).toBe("a\uFFFDb");
    const [turn] = await chat.store.listTurns(conversationId, 1, 1);
    expect(turn?.user.content).toBe("a\uFFFDb");
    expect(title.isWellFormed()).toBe(true);
  });

  test("keeps its blanks and line breaks", async () => {
    const chat = server("ok");
    const { conversationId } = await chat.start("  two\n\nlines  ");
    const [turn] = await chat.store.listTurns(conversationId, 1, 1);
    expect(turn?.user.content).toBe("  two\n\nlines  ");
  });
});

describe("an idempotency key", () => {
  test.each(["clé", "a\nb", "x".repeat(257), "🌦"])("%j is refused", async (key) => {
    await expect(server().start("Hi", { key })).rejects.toMatchObject(argument("idempotency_key"));
  });

  test("may be any 256 printable characters", async () => {
    const key = " ~".repeat(128);
    const chat = server("ok");
    expect(await chat.start("Hi", { key })).toEqual(await chat.start("Hi", { key }));
  });
});

describe("start", () => {
  test("makes a conversation of its own each time", async () => {
    const chat = server("one", "two");
    const [first, second] = [await chat.start("Hi"), await chat.start("Hi")];
    expect(first.conversationId).toMatch(/^[0-9a-f]{24}$/);
    expect(second.conversationId).not.toBe(first.conversationId);
  });

  test("binds the session to the new conversation", async () => {
    const chat = server("one", "two", "three");
    const first = await chat.continue("Hi", { session: session() });
    const second = await chat.start("Something else", { session: session() });
    expect(second.conversationId).not.toBe(first.conversationId);
    const third = await chat.continue("More", { session: session() });
    expect(third.conversationId).toBe(second.conversationId);
  });

  test("repeated with its key leaves the session where it is now", async () => {
    const chat = server("one", "two", "three");
    await chat.start("Hi", { session: session(), key: "k" });
    const second = await chat.start("Something else", { session: session() });
    await chat.start("Hi", { session: session(), key: "k" });
    expect((await chat.continue("More", { session: session() })).conversationId).toBe(second.conversationId);
  });

  test("that fails to begin leaves a session that works", async () => {
    const chat = server("ok");
    chat.store.plan("beginTurn", fails);
    await expect(chat.start("Hi", { session: session() })).rejects.toMatchObject({ code: "unavailable" });
    expect((await chat.continue("Hi", { session: session() })).reply).toBe("ok");
  });

  test("uses the user's time zone and locale, and keeps where the message came from", async () => {
    const model = new ScriptedModel(says("ok"));
    const chat = world.process(model);
    const said = { session: session({ timezone: "Asia/Tokyo", locale: "ja" }) };
    const { conversationId } = await chat.start("Hi", said);
    expect(model.requests[0]).toMatchObject({ locale: "ja" });
    expect(model.requests[0]?.messages[0]?.content).toContain("Time zone: Asia/Tokyo");
    expect(await chat.store.listTurns(conversationId, 1, 1)).toMatchObject([
      { platform: "telegram", userLocale: { timezone: "Asia/Tokyo", locale: "ja" } },
    ]);
  });
});

describe("continue", () => {
  test("goes on in the conversation that it names", async () => {
    const chat = server("one", "two");
    const { conversationId } = await chat.start("Hi");
    expect(await chat.continue("More", { conversationId })).toEqual({
      conversationId,
      title: "A title",
      reply: "two",
    });
  });

  test("needs a conversation or a session", async () => {
    const nothing = argument("conversation_id");
    await expect(server().continue("Hi")).rejects.toMatchObject(nothing);
    const placeOnly = session({ platform: "", userId: "", chatId: "", timezone: "Asia/Tokyo" });
    await expect(server().continue("Hi", { session: placeOnly })).rejects.toMatchObject(nothing);
  });

  test.each(["x", UNKNOWN.toUpperCase(), `${UNKNOWN}0`, " ", UNKNOWN])(
    "of %j finds no conversation",
    async (conversationId) => {
      const chat = server();
      await expect(chat.continue("Hi", { conversationId })).rejects.toMatchObject({ code: "not_found" });
      await expect(chat.continue("Hi", { conversationId, session: session() })).rejects.toMatchObject({
        code: "not_found",
      });
      expect(await chat.store.listConversations("ann", 9)).toEqual([]);
    },
  );

  test("of another owner's conversation finds none", async () => {
    const chat = server("one");
    const { conversationId } = await chat.start("Hi");
    await expect(chat.continue("Hi", { conversationId, owner: "bob" })).rejects.toMatchObject({
      code: "not_found",
    });
    expect(await chat.store.listTurns(conversationId, 1, 9)).toHaveLength(1);
  });

  test("by session goes on in its conversation until it idles out", async () => {
    const chat = server("one", "two", "three");
    const first = await chat.continue("Hi", { session: session() });
    await world.clock.advance(SESSION_TTL_MS - 1);
    const second = await chat.continue("Still here", { session: session() });
    await world.clock.advance(SESSION_TTL_MS);
    const third = await chat.continue("Back again", { session: session() });
    expect(second.conversationId).toBe(first.conversationId);
    expect(third.conversationId).not.toBe(first.conversationId);
  });

  test("by session is apart for each owner and each chat", async () => {
    const chat = server("one", "two", "three");
    const results = [
      await chat.continue("Hi", { session: session() }),
      await chat.continue("Hi", { session: session(), owner: "bob" }),
      await chat.continue("Hi", { session: session({ chatId: "10" }) }),
    ];
    expect(new Set(results.map(({ conversationId }) => conversationId)).size).toBe(3);
  });

  test("by id takes the place from the session, and leaves the session's conversation alone", async () => {
    const model = new ScriptedModel(says("one"), says("two"), says("three"));
    const chat = world.process(model);
    const own = await chat.continue("Hi", { session: session() });
    const { conversationId } = await chat.start("Hi");
    await chat.continue("Hi", { conversationId, session: session({ timezone: "Asia/Tokyo" }) });
    expect(model.requests[2]?.messages[0]?.content).toContain("Asia/Tokyo");
    model.add(says("four"));
    expect((await chat.continue("Hi", { session: session() })).conversationId).toBe(own.conversationId);
  });

  test("checks the metadata, also beside an id", async () => {
    const said = { conversationId: UNKNOWN, session: session({ chatId: "" }) };
    await expect(server().continue("Hi", said)).rejects.toMatchObject(argument("session_metadata.chat_id"));
  });
});

describe("the end of a session", () => {
  const asked = (key = "") => ({ sessionMetadata: session(), idempotencyKey: key });

  test("makes its next message begin a new conversation", async () => {
    const chat = server("one", "two", "three");
    const before = await chat.continue("Hi", { session: session() });
    await chat.chat.endSession(world.context(), asked());
    const after = await chat.continue("Hi again", { session: session() });
    expect(after.conversationId).not.toBe(before.conversationId);
    expect((await chat.continue("More", { session: session() })).conversationId).toBe(after.conversationId);
  });

  test("repeated with its key leads to the same new conversation, also when that has begun", async () => {
    const chat = server("one", "two", "three");
    await chat.continue("Hi", { session: session() });
    await chat.chat.endSession(world.context(), asked("k"));
    const after = await chat.continue("Hi again", { session: session() });
    await chat.chat.endSession(world.context(), asked("k"));
    expect((await chat.continue("More", { session: session() })).conversationId).toBe(after.conversationId);
  });

  test("of another owner or chat leaves it alone", async () => {
    const chat = server("one", "two");
    const before = await chat.continue("Hi", { session: session() });
    await chat.chat.endSession(world.context("bob"), asked());
    await chat.chat.endSession(world.context(), { ...asked(), sessionMetadata: session({ chatId: "10" }) });
    expect((await chat.continue("More", { session: session() })).conversationId).toBe(before.conversationId);
  });

  test("needs to know which", async () => {
    const { chat } = server();
    const end = (sessionMetadata?: ReturnType<typeof session>, idempotencyKey = "") =>
      chat.endSession(world.context(), { sessionMetadata, idempotencyKey });
    await expect(end()).rejects.toMatchObject(argument("session_metadata"));
    const nobody = session({ platform: "", userId: "", chatId: "" });
    await expect(end(nobody)).rejects.toMatchObject(argument("session_metadata"));
    await expect(end(session(), "clé")).rejects.toMatchObject(argument("idempotency_key"));
  });
});

describe("describe by session", () => {
  const page = { conversationId: "", pageSize: 0, pageToken: "" };

  test("shows its current conversation", async () => {
    const chat = server("one");
    const { conversationId } = await chat.continue("Hi", { session: session() });
    const shown = await chat.chat.describe(world.context(), { ...page, sessionMetadata: session() });
    expect(shown.conversation.id).toBe(conversationId);
    expect(shown.messages.map(({ content }) => content)).toEqual(["Hi", "one"]);
  });

  test("finds none before its first message, after its end, and once it idled out", async () => {
    const chat = server("one");
    const describe = () => chat.chat.describe(world.context(), { ...page, sessionMetadata: session() });
    await expect(describe()).rejects.toMatchObject({ code: "not_found" });
    await chat.continue("Hi", { session: session() });
    await world.clock.advance(SESSION_TTL_MS);
    await expect(describe()).rejects.toMatchObject({ code: "not_found" });
    await chat.chat.endSession(world.context(), { sessionMetadata: session(), idempotencyKey: "" });
    await expect(describe()).rejects.toMatchObject({ code: "not_found" });
  });

  test("needs a conversation or a session", async () => {
    await expect(server().chat.describe(world.context(), page)).rejects.toMatchObject(
      argument("conversation_id"),
    );
  });
});
