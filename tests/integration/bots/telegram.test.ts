import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { Chat, Message, Update, User } from "grammy/types";
import { TEXTS } from "../../../bots/telegram/texts.ts";
import { startTestApp } from "../../support/app.ts";
import { replyTo, startEchoModel } from "../../support/echo-model.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestBot, TelegramWorld, type TestBot } from "../../support/telegram.ts";
import { callJson } from "../../support/twirp.ts";

interface Described {
  conversation: { messages: { content: string; tool_calls: { result: string }[] }[] };
}

let world: TelegramWorld;
let model: Awaited<ReturnType<typeof startEchoModel>>;
let app: Awaited<ReturnType<typeof startTestApp>>;
let bot: TestBot;
/** What the model waits for before each answer. */
let pause: Promise<void> = Promise.resolve();
/** Requests that the model got. */
let asked = 0;
/** A person who has not written before. */
let ann = 100;

beforeAll(async () => {
  world = await TelegramWorld.start();
  model = await startEchoModel(() => {
    asked++;
    return pause;
  });
  app = await startTestApp({ OPENAI_BASE_URL: model.baseUrl });
  bot = await startTestBot(world, app.url);
});
afterAll(async () => {
  await bot.stop();
  await app.stop();
  await model.close();
  await world.stop();
});
beforeEach(() => {
  ann++;
  pause = Promise.resolve();
});
afterEach(() => expect(world.refusals).toEqual([]));

const group: Chat.SupergroupChat = { id: -1001, type: "supergroup", title: "Friends" };
const person = (id: number): User => ({ id, is_bot: false, first_name: `Person ${id}`, language_code: "de" });

/** A message as Telegram would have it, of a person in a group. */
function inGroup(fields: Partial<Message>): Pick<Update, "message"> {
  const date = Math.floor(Date.now() / 1000);
  return {
    message: { message_id: 77, date, chat: group, from: person(ann), ...fields } as Update["message"],
  };
}

const mention = (words: string) => ({
  text: words,
  entities: [{ type: "mention" as const, offset: words.indexOf("@"), length: "@TestNameBot".length }],
});

/** What the server holds of a session. */
async function messagesOf(chat_id: string, user_id = String(ann)) {
  const { body } = await callJson<Described>(app.url, "DescribeConversation", {
    session_metadata: { platform: "telegram", user_id, chat_id },
  });
  return body.conversation.messages;
}

describe("in private", () => {
  test("a message is answered in its conversation, in Telegram's formatting, while the bot types", async () => {
    const typed = world.calls.filter((method) => method === "sendChatAction").length;
    await world.write(ann, "see **this** [site](https://example.org/a)");
    const sent = await world.answers(ann, 1);
    expect(sent).toMatchObject({
      text: "You said: see this site",
      entities: [
        { type: "bold", offset: 14, length: 4 },
        { type: "text_link", offset: 19, length: 4, url: "https://example.org/a" },
      ],
    });
    expect(sent.reply_parameters).toBeUndefined();
    expect(world.calls.filter((method) => method === "sendChatAction").length).toBeGreaterThan(typed);
    expect((await messagesOf(String(ann))).map(({ content }) => content)).toEqual([
      "see **this** [site](https://example.org/a)",
      "You said: see **this** [site](https://example.org/a)",
    ]);
  });

  test("a long answer comes in parts, in order", async () => {
    const long = Array.from({ length: 40 }, (_, line) => `${line} ${"word ".repeat(20)}`).join("\n\n");
    await world.write(ann, long);
    const last = await world.answers(ann, 2);
    const parts = world.sentTo(ann).map(({ text }) => text);
    expect(parts.every((text) => text.length <= 4096)).toBe(true);
    expect(last.text).toContain("39 word");
    expect(parts.join("\n\n").replace(/\s+/g, " ")).toBe(replyTo(long).replace(/\s+/g, " ").trim());
  });

  test.each([
    ["/start", "Ask me anything"],
    ["/help", "/settings"],
    ["/nonsense", "I don't know /nonsense"],
    ["/settings", "Europe/Madrid"],
    ["/settings Atlantis", 'no time zone, city or language "Atlantis"'],
    ["/start settings", "Your time zone"],
  ])("%s", async (command, words) => {
    await world.write(ann, command);
    expect((await world.answers(ann, 1)).text).toContain(words);
  });

  test.each([
    ["a sticker", { sticker: { file_id: "1" } }, TEXTS.unreadable.sticker],
    ["a voice message", { voice: { file_id: "1" } }, TEXTS.unreadable.voice],
    ["a video note", { video_note: { file_id: "1" } }, TEXTS.unreadable.video],
    ["a photo", { photo: [{ file_id: "1" }] }, TEXTS.unreadable.picture],
    ["a file", { document: { file_id: "1" } }, TEXTS.unreadable.file],
    ["a poll", { poll: { id: "1" } }, TEXTS.unreadable.other],
  ])("%s gets a friendly sentence", async (_name, fields, words) => {
    await world.write(ann, "", fields as unknown as Partial<Message>);
    expect((await world.answers(ann, 1)).text).toBe(words);
  });

  test("of an album only the first picture does", async () => {
    const picture = { photo: [{ file_id: "1" }], media_group_id: "m1" } as unknown as Partial<Message>;
    await world.write(ann, "", picture);
    await world.write(ann, "", picture);
    await world.write(ann, "Hi");
    await world.answers(ann, 2);
    expect(world.sentTo(ann).map(({ text }) => text)).toEqual([TEXTS.unreadable.picture, replyTo("Hi")]);
  });

  test("a caption is a message, and the assistant knows what it can't see", async () => {
    await world.write(ann, "", { photo: [{ file_id: "1" }], caption: "What is this?" } as Partial<Message>);
    await world.answers(ann, 1);
    expect((await messagesOf(String(ann)))[0]?.content).toBe(
      `What is this?\n\n${TEXTS.attachment("picture")}`,
    );
  });

  test("/new begins a conversation, and /history shows the present one alone", async () => {
    await world.write(ann, "/history");
    expect((await world.answers(ann, 1)).text).toBe(TEXTS.noHistory);
    await world.write(ann, "before");
    await world.answers(ann, 2);
    await world.write(ann, "/new after");
    expect((await world.answers(ann, 3)).text).toBe(replyTo("after"));
    await world.write(ann, "/history");
    expect((await world.answers(ann, 4)).text).toBe("Talk\n\nYou: after\n\nMe: You said: after");
  });

  test("settings are kept by Telegram, and go along with each message", async () => {
    await world.write(ann, "/settings tokyo");
    expect((await world.answers(ann, 1)).text).toContain("Asia/Tokyo");
    await world.write(ann, "/settings es-ES");
    expect((await world.answers(ann, 2)).text).toContain("Asia/Tokyo; your language: es-ES");
    // Another process of the bot, which has seen nothing of this.
    await bot.stop();
    bot = await startTestBot(world, app.url);
    await world.write(ann, "What time is it?");
    await world.answers(ann, 3);
    expect((await messagesOf(String(ann)))[1]?.tool_calls[0]?.result).toContain("Asia/Tokyo");
    await world.write(ann, "/settings reset");
    expect((await world.answers(ann, 4)).text).toContain(TEXTS.automatic.timezone);
  });

  test("a shared location sets the time zone", async () => {
    await world.write(ann, "", { location: { latitude: 41.39, longitude: 2.17 } } as Partial<Message>);
    expect(await world.answers(ann, 1)).toMatchObject({
      text: expect.stringContaining("Europe/Madrid"),
      reply_markup: { remove_keyboard: true },
    });
  });

  test("an edited message is answered anew; an edited picture is not", async () => {
    const edited_message = {
      message_id: 5,
      date: 1,
      edit_date: 2,
      chat: { id: ann, type: "private" as const, first_name: "A" },
      from: person(ann),
    };
    world.deliver({ edited_message: { ...edited_message, photo: [] } as never });
    world.deliver({ edited_message: { ...edited_message, text: "better" } as never });
    expect(await world.answers(ann, 1)).toMatchObject({
      text: replyTo("better"),
      reply_parameters: { message_id: 5 },
    });
  });
});

describe("in a group", () => {
  test("the bot answers when it is mentioned, by a reply; each person has a conversation", async () => {
    const before = world.sentTo(group.id).length;
    world.deliver(inGroup({ text: "talk among others" }));
    world.deliver(inGroup(mention("@testnamebot, what is up?")));
    expect(await world.answers(group.id, before + 1)).toMatchObject({
      text: replyTo("what is up?"),
      reply_parameters: { message_id: 77, allow_sending_without_reply: true },
    });
    expect((await messagesOf(String(group.id))).map(({ content }) => content)[0]).toBe("what is up?");
  });

  test("a reply to the bot is for it, and a mention in a reply to another quotes that one", async () => {
    const before = world.sentTo(group.id).length;
    const answered = (from: User, text: string) =>
      ({ message_id: 9, date: 1, chat: group, from, text }) as never;
    const me = { id: 666, is_bot: true, first_name: "Bot" };
    world.deliver(inGroup({ text: "and more?", reply_to_message: answered(me, "My answer") }));
    await world.answers(group.id, before + 1);
    world.deliver(
      inGroup({
        ...mention("@TestNameBot translate"),
        reply_to_message: answered(person(9), "Hola\namigos"),
      }),
    );
    await world.answers(group.id, before + 2);
    const said = (await messagesOf(String(group.id))).map(({ content }) => content);
    expect([said[0], said[2]]).toEqual(["and more?", "> Hola\n> amigos\n\ntranslate"]);
  });

  test("commands for other bots, other bots and what the group itself tells are left alone", async () => {
    const before = world.sentTo(group.id).length;
    const command = (text: string) => ({
      text,
      entities: [{ type: "bot_command" as const, offset: 0, length: text.length }],
    });
    world.deliver(inGroup(command("/help@OtherBot")));
    world.deliver(inGroup(command("/unknown")));
    world.deliver(inGroup({ ...mention("@TestNameBot hi"), from: { ...person(5), is_bot: true } }));
    world.deliver(inGroup({ new_chat_title: "Better friends" }));
    world.deliver(inGroup(command("/settings@TestNameBot")));
    expect((await world.answers(group.id, before + 1)).text).toContain("t.me/TestNameBot?start=settings");
  });

  test("a topic has its own conversation, and the answer goes there", async () => {
    const before = world.sentTo(group.id).length;
    world.deliver(inGroup({ ...mention("@TestNameBot hi"), is_topic_message: true, message_thread_id: 4 }));
    expect(await world.answers(group.id, before + 1)).toMatchObject({ message_thread_id: 4 });
    expect(await messagesOf(`${group.id}/4`)).toHaveLength(2);
  });

  test("an answer follows a group that became a supergroup", async () => {
    const parameters = { migrate_to_chat_id: -2002 };
    const description = "Bad Request: group chat was upgraded to a supergroup chat";
    world.refusals.push({ method: "sendMessage", refusal: { error_code: 400, description, parameters } });
    world.deliver(
      inGroup({ ...mention("@TestNameBot where are we?"), is_topic_message: true, message_thread_id: 9 }),
    );
    expect((await world.answers(-2002, 1)).text).toBe(replyTo("where are we?"));
  });
});

describe("what Telegram says no to", () => {
  test.each([
    ["a flood", { error_code: 429, description: "Too Many Requests", parameters: { retry_after: 0.05 } }],
    ["a fault of its own", { error_code: 502, description: "Bad Gateway" }],
    ["a connection", "hang up" as const],
  ])("%s: is asked again", async (_name, refusal) => {
    world.refusals.push({ method: "sendMessage", refusal });
    await world.write(ann, "Hi");
    expect((await world.answers(ann, 1)).text).toBe(replyTo("Hi"));
  });

  test("formatting: is sent without", async () => {
    world.refusals.push({
      method: "sendMessage",
      refusal: { error_code: 400, description: "can't parse entities" },
    });
    await world.write(ann, "**bold**");
    const sent = await world.answers(ann, 1);
    expect(sent.text).toBe("You said: bold");
    expect(sent.entities).toBeUndefined();
  });

  test("all of an answer: is told", async () => {
    const refusal = { error_code: 400, description: "no" };
    world.refusals.push({ method: "sendMessage", refusal }, { method: "sendMessage", refusal });
    await world.write(ann, "Hi");
    expect((await world.answers(ann, 1)).text).toBe(TEXTS.notShown);
  });

  test("a bot that was blocked: goes on with others, and with the same person later", async () => {
    const refusal = { error_code: 403, description: "Forbidden: bot was blocked by the user" };
    world.refusals.push({ method: "sendMessage", refusal });
    await world.write(ann, "Hi");
    await world.write(ann, "Me again");
    expect((await world.answers(ann, 1)).text).toBe(replyTo("Me again"));
    expect(bot.log()).toContain("bot was blocked by the user");
  });

  test("updates: are asked for again", async () => {
    for (const error_code of [409, 401, 500]) {
      world.refusals.push({ method: "getUpdates", refusal: { error_code, description: "no" } });
    }
    world.refusals.push({ method: "getUpdates", refusal: "hang up" });
    await world.write(ann, "Hi");
    expect((await world.answers(ann, 1)).text).toBe(replyTo("Hi"));
    await eventually(() => world.refusals.length === 0);
    expect(bot.log()).toContain("is another bot running with this token?");
  });
});

test("while the server is away a person is told once, and answered in order when it is back", async () => {
  const own = await startTestApp({ OPENAI_BASE_URL: model.baseUrl });
  const port = new URL(own.url).port;
  await bot.stop();
  await own.stop();
  bot = await startTestBot(world, own.url);
  const other = ann + 5_000;
  const questions = ["one", "two", "three"];
  for (const words of questions) await world.write(ann, words);
  await world.write(other, "me too");
  expect((await world.answers(ann, 1)).text).toBe(TEXTS.serverAway);
  expect((await world.answers(other, 1)).text).toBe(TEXTS.serverAway);
  expect((await fetch(`${bot.monitorUrl}/ready`)).status).toBe(503);

  const back = await startTestApp({ OPENAI_BASE_URL: model.baseUrl, PORT: port });
  await world.answers(ann, 4);
  expect(world.sentTo(ann).map(({ text }) => text)).toEqual([TEXTS.serverAway, ...questions.map(replyTo)]);
  expect((await world.answers(other, 2)).text).toBe(replyTo("me too"));
  await bot.stop();
  await back.stop();
  bot = await startTestBot(world, app.url);
});

test("an answer that won't come is told in words", async () => {
  await bot.stop();
  const strict = await startTestApp({ OPENAI_BASE_URL: model.baseUrl, MAX_MESSAGE_CHARS: "10" });
  bot = await startTestBot(world, strict.url);
  await world.write(ann, "more than ten characters");
  expect((await world.answers(ann, 1)).text).toBe(
    "I can't take this message: it must have at most 10 characters.",
  );
  await bot.stop();
  await strict.stop();
  bot = await startTestBot(world, app.url);
});

test("only who is allowed gets answers, and a flood gets one sentence", async () => {
  await bot.stop();
  const bert = ann + 6_000;
  bot = await startTestBot(world, app.url, {
    TELEGRAM_ALLOWED: `${ann}, ${group.id}`,
    TELEGRAM_MESSAGES_PER_MINUTE: "2",
  });
  await world.write(bert, "Hi");
  expect((await world.answers(bert, 1)).text).toBe(TEXTS.notAllowed(String(bert)));
  const before = world.sentTo(group.id).length;
  world.deliver(inGroup({ ...mention("@TestNameBot hi"), from: person(bert) }));
  expect((await world.answers(group.id, before + 1)).text).toBe(replyTo("hi"));

  const date = Math.floor(Date.now() / 60_000) * 60;
  for (const words of ["1", "2", "3", "4"]) await world.write(ann, words, { date });
  await world.write(ann, "5", { date: date - 60 });
  await world.answers(ann, 4);
  const texts = world.sentTo(ann).map(({ text }) => text);
  expect(texts).toEqual([replyTo("1"), replyTo("2"), TEXTS.tooMany(2), replyTo("5")]);
  await bot.stop();
  bot = await startTestBot(world, app.url);
});

test("a stop lets the answer at work be sent, leaves the rest, and confirms what is done", async () => {
  const blocked = Promise.withResolvers<void>();
  pause = blocked.promise;
  const message = (text: string) => ({
    message: {
      message_id: 1,
      date: 1,
      chat: { id: ann, type: "private", first_name: "A" },
      from: person(ann),
      text,
    } as never,
  });
  const before = asked;
  const first = world.deliver(message("asked"));
  const waiting = world.deliver(message("waiting"));
  await eventually(() => asked > before);
  const stopping = bot.stop();
  blocked.resolve();
  await stopping;
  expect(world.sentTo(ann).map(({ text }) => text)).toEqual([replyTo("asked")]);
  expect([world.isConfirmed(first), world.isConfirmed(waiting)]).toEqual([true, false]);

  bot = await startTestBot(world, app.url);
  expect((await world.answers(ann, 2)).text).toBe(replyTo("waiting"));
  expect(world.sentTo(ann)).toHaveLength(2);
});

test("health, readiness and metrics", async () => {
  const get = async (path: string) => {
    const response = await fetch(bot.monitorUrl + path);
    return [response.status, await response.text()] as const;
  };
  await world.write(ann, "Hi");
  await world.answers(ann, 1);
  expect(await get("/health")).toEqual([200, '{"status":"ok"}']);
  await eventually(async () => (await get("/ready"))[0] === 200);
  const [, metrics] = await get("/metrics");
  expect(metrics).toMatch(/^parley_bot_updates_total\{outcome="answered"\} [1-9]/m);
  expect(metrics).toMatch(/^parley_bot_reply_seconds_count [1-9]/m);
  expect((await get("/"))[0]).toBe(404);
  expect((await fetch(`${bot.monitorUrl}/health`, { method: "POST" })).status).toBe(405);
});

test("a port that is taken ends the start, with the settings to change", async () => {
  const env = { TELEGRAM_MONITOR_PORT: new URL(app.url).port };
  await expect(startTestBot(world, app.url, env)).rejects.toThrow(
    /EADDRINUSE.*Set TELEGRAM_MONITOR_HOST and TELEGRAM_MONITOR_PORT/,
  );
});
