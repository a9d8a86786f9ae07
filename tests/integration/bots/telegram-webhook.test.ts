import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { webhookSecret } from "../../../bots/telegram/webhook.ts";
import { startTestApp } from "../../support/app.ts";
import { replyTo, startEchoModel } from "../../support/echo-model.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestBot, TelegramWorld, type TestBot, TOKEN } from "../../support/telegram.ts";

const SECRET = webhookSecret(TOKEN);
const header = "x-telegram-bot-api-secret-token";

let world: TelegramWorld;
let model: Awaited<ReturnType<typeof startEchoModel>>;
let app: Awaited<ReturnType<typeof startTestApp>>;
let bot: TestBot;
let pause: Promise<void> = Promise.resolve();
let asked = 0;

beforeAll(async () => {
  world = await TelegramWorld.start();
  model = await startEchoModel(() => {
    asked++;
    return pause;
  });
  app = await startTestApp({ OPENAI_BASE_URL: model.baseUrl });
  bot = await startTestBot(world, app.url, { TELEGRAM_WEBHOOK_URL: "https://bot.example.org/telegram/hook" });
});
afterAll(async () => {
  await bot.stop();
  await app.stop();
  await model.close();
  await world.stop();
});

function update(update_id: number, chat: number, text: string) {
  const from = { id: chat, is_bot: false, first_name: "Ann" };
  return { update_id, message: { message_id: 1, date: 1, chat: { id: chat, type: "private" }, from, text } };
}

async function deliver(body: unknown, { path = "/telegram/hook", secret = SECRET, method = "POST" } = {}) {
  const response = await fetch(bot.webhookUrl + path, {
    method,
    headers: { "content-type": "application/json", [header]: secret },
    body: method === "POST" ? (typeof body === "string" ? body : JSON.stringify(body)) : undefined,
  });
  return response.status;
}

const sentTo = (chat: number) => world.sentTo(chat).map(({ text }) => text);

test("Telegram is told where, what and with which secret, which is not the token", () => {
  expect(world.calls).toContain("setWebhook");
  expect(world.calls).not.toContain("getUpdates");
  expect(SECRET).toMatch(/^[\w-]{1,256}$/);
  expect(TOKEN).not.toContain(SECRET);
});

test("an update is answered with 200 once its answer was sent, and only once however often it comes", async () => {
  const blocked = Promise.withResolvers<void>();
  pause = blocked.promise;
  const before = asked;
  const statuses: number[] = [];
  const deliveries = [1, 2, 3].map(async () => statuses.push(await deliver(update(10, 1, "Hi"))));
  await eventually(() => asked > before);
  expect(statuses).toEqual([]);
  blocked.resolve();
  await Promise.all(deliveries);
  expect(statuses).toEqual([200, 200, 200]);
  expect(await deliver(update(10, 1, "Hi"))).toBe(200);
  expect(sentTo(1)).toEqual([replyTo("Hi")]);
});

test("many at once are all answered", async () => {
  const messages = Array.from({ length: 12 }, (_, index) => ({
    chat: 20 + (index % 3),
    words: `message ${index}`,
  }));
  const statuses = await Promise.all(
    messages.map(({ chat, words }, index) => deliver(update(100 + index, chat, words))),
  );
  expect(new Set(statuses)).toEqual(new Set([200]));
  for (const chat of [20, 21, 22]) {
    expect([...sentTo(chat)].sort()).toEqual(
      messages
        .filter((message) => message.chat === chat)
        .map(({ words }) => replyTo(words))
        .sort(),
    );
  }
});

describe("what is no update is refused:", () => {
  test.each([
    ["a wrong secret", update(900, 9, "Hi"), { secret: "wrong" }, 401],
    ["no secret", update(900, 9, "Hi"), { secret: "" }, 401],
    ["another path", update(900, 9, "Hi"), { path: "/" }, 404],
    ["GET", "", { method: "GET" }, 405],
    ["no JSON", "hello", {}, 400],
    ["something else", { hello: 1 }, {}, 400],
    ["too much", JSON.stringify({ update_id: 1, text: "x".repeat(1_100_000) }), {}, 400],
  ])("%s", async (_name, body, how, status) => {
    expect(await deliver(body, how)).toBe(status);
    expect(sentTo(9)).toEqual([]);
  });
});

test("an update that a stop leaves undone is answered with 503, so that it comes again", async () => {
  const blocked = Promise.withResolvers<void>();
  pause = blocked.promise;
  const before = asked;
  const first = deliver(update(30, 3, "first"));
  await eventually(() => asked > before);
  const second = deliver(update(31, 3, "second"));
  // Behind the first one, in the same chat.
  await eventually(async () =>
    (await fetch(`${bot.monitorUrl}/metrics`)).text().then((text) => /in_work 2/.test(text)),
  );
  const stopped = bot.stop();
  blocked.resolve();
  expect([await first, await second]).toEqual([200, 503]);
  await stopped;
  expect(sentTo(3)).toEqual([replyTo("first")]);
});
