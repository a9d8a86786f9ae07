import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { replyTo, startEchoModel } from "../support/echo-model.ts";
import { seededRandom } from "../support/random.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { startBotProcess, TelegramWorld } from "../support/telegram.ts";
import { callJson } from "../support/twirp.ts";

/** `BOT_KILLS=30 BOT_UPDATES=1000 npm test -- tests/performance/kill-telegram` */
const KILLS = Number(process.env.BOT_KILLS ?? 5);
const UPDATES = Number(process.env.BOT_UPDATES ?? 200);
const CHATS = 50;
const SEED = Number(process.env.SEED ?? 1);

/** What Ann and all the others write, each in a chat of their own. */
const chats = Array.from({ length: CHATS }, (_, index) => ({
  id: 5_000 + index,
  messages: Array.from({ length: UPDATES / CHATS }, (_, count) => `chat ${index}, message ${count}`),
}));

interface Described {
  conversation: { message_count: number; messages: { role: string; content: string }[] };
}

let world: TelegramWorld;
let model: Awaited<ReturnType<typeof startEchoModel>>;
let server: RunningServer;
const random = seededRandom(SEED);

beforeAll(async () => {
  world = await TelegramWorld.start();
  model = await startEchoModel(() => random() * 40);
  server = await startServer({ env: { OPENAI_BASE_URL: model.baseUrl } });
});
afterAll(async () => {
  await server.stop();
  await model.close();
  await world.stop();
});

const start = () => startBotProcess(world, server.url, { TELEGRAM_MESSAGES_PER_MINUTE: "100000" });
const answersTo = (chat: number) => world.sentTo(chat).map(({ text }) => text);
const answered = () => chats.reduce((sum, { id }) => sum + new Set(answersTo(id)).size, 0);

test(
  `${UPDATES} updates in ${CHATS} chats, the bot killed ${KILLS} times (seed ${SEED})`,
  async () => {
    // Up to twice more than Telegram would, on top of what the kills make necessary.
    world.repeatDeliveries(() => 1 + Math.floor(random() * 3));
    const roundMs = (KILLS * 1_000) / (UPDATES / CHATS);
    let written = 0;
    const writing = (async () => {
      for (let round = 0; round < UPDATES / CHATS; round++) {
        for (const { id, messages } of chats) {
          await world.write(id, messages[round] ?? "");
          written++;
        }
        await delay(roundMs * random());
      }
    })();

    let atWork = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const bot = await start();
      await delay(20 + random() * 600);
      if (written > answered()) atWork++;
      await bot.kill("SIGKILL");
    }
    await writing;
    const bot = await start();
    while (answered() < UPDATES) await delay(50);
    const deliveries = await world.deliveries();
    await bot.kill("SIGTERM");

    let sent = 0;
    for (const { id, messages } of chats) {
      const { body } = await callJson<Described>(server.url, "DescribeConversation", {
        session_metadata: { platform: "telegram", user_id: `${id}`, chat_id: `${id}` },
      });
      const turns = messages.flatMap((message) => [message, replyTo(message)]);
      expect(body.conversation.messages.map(({ content }) => content)).toEqual(turns);
      // Answers may come again; the first ones are in order, and there is nothing else.
      expect([...new Set(answersTo(id))]).toEqual(messages.map(replyTo));
      sent += answersTo(id).length;
    }
    const { body } = await callJson<{ conversations: unknown[] }>(server.url, "ListConversations", {});
    expect(body.conversations).toHaveLength(CHATS);
    const repeated = deliveries.filter((times) => times > 1).length;
    expect(deliveries).toHaveLength(UPDATES);
    expect(repeated).toBeGreaterThan(UPDATES / 2);
    expect(atWork).toBeGreaterThanOrEqual(KILLS / 2);
    console.info(
      [
        `${KILLS} kills, ${atWork} of them with updates unanswered`,
        `${UPDATES} updates, ${repeated} of them delivered more than once, ${Math.max(...deliveries)} times at most`,
        `${UPDATES} turns, ${sent} answers`,
      ].join("; "),
    );
  },
  60_000 + KILLS * 10_000 + UPDATES * 200,
);
