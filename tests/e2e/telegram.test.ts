import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { TEXTS } from "../../bots/telegram/texts.ts";
import { localServer } from "../support/local-server.ts";
import { describeRedis, startRedis } from "../support/redis.ts";
import { startSentryReceiver } from "../support/sentry.ts";
import {
  built,
  NODE,
  type RunningProgram,
  type RunningServer,
  startProgram,
  startServer,
} from "../support/server.ts";
import { startBotProcess, TelegramWorld, TOKEN } from "../support/telegram.ts";

const ANN = 4001;
const AWAY = TEXTS.serverAway;

describeRedis("the Telegram bot, Parley with the demo model and Redis", (start) => {
  let world: TelegramWorld;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let server: RunningServer;
  let bot: RunningProgram;
  let env: Record<string, string>;

  beforeAll(async () => {
    world = await TelegramWorld.start();
    redis = await start(startRedis());
    env = { REDIS_URL: `redis://127.0.0.1:${redis.process.port}` };
    server = await startServer({ env });
    bot = await startBotProcess(world, server.url);
  }, 60_000);
  afterAll(async () => {
    await bot.kill("SIGTERM");
    await server.stop();
    await world.stop();
    await rm(server.dataDir, { recursive: true, force: true });
  });

  /** Ann writes; the first thing the bot has not said to her before. A bot that was killed may repeat itself. */
  async function ask(words: string, meanwhile: () => Promise<void> = async () => undefined): Promise<string> {
    const before = world.sentTo(ANN);
    const said = new Set(before.map(({ text }) => text));
    await world.write(ANN, words);
    await meanwhile();
    for (let count = before.length + 1; ; count++) {
      const { text } = await world.answers(ANN, count);
      if (!said.has(text) && text !== AWAY) return text;
    }
  }

  test("a conversation goes on across restarts of bot, Redis and Parley, until /new", async () => {
    expect(await ask("/start")).toContain("Ask me anything");
    expect(await ask("Which holidays are next in Barcelona?")).toContain("Catalonia");
    // Each of these makes sense only to who knows what was said before.
    expect(await ask("and in Lisbon until the end of the year?")).toContain("Portugal");

    await bot.kill("SIGKILL");
    bot = await startBotProcess(world, server.url);
    expect(await ask("and in Paris?")).toContain("France");

    await redis.process.kill();
    expect(await ask("and in Vienna?")).toContain("Austria");
    await redis.process.restart();
    expect(await ask("and in Berlin?")).toContain("German");

    await server.kill("SIGKILL");
    const restart = async () => {
      server = await startServer({
        dataDir: server.dataDir,
        env: { ...env, PORT: new URL(server.url).port },
      });
    };
    expect(await ask("and in Oslo?", restart)).toContain("Norway");

    expect(await ask("/history")).toContain("and in Oslo?");
    expect(await ask("/new")).toContain("A new conversation begins");
    expect(await ask("/history")).toContain("Nothing was said yet");
    expect(await ask("and in Rome?")).not.toContain("Ital");
    expect(await ask("/new Which holidays are next in Rome?")).toContain("Ital");
  }, 120_000);
});

describe("the token is in no line of the log", () => {
  const halves = [TOKEN, TOKEN.slice(TOKEN.indexOf(":") + 1)];
  const run = (isReady: RegExp, env: Record<string, string>) =>
    startProgram([NODE, built("telegram.js")], isReady, {
      cwd: tmpdir(),
      env: {
        TELEGRAM_BOT_TOKEN: TOKEN,
        TELEGRAM_MONITOR_PORT: "0",
        LOG_LEVEL: "debug",
        DEBUG: "grammy*",
        ...env,
      },
    });
  const expectNoSecret = (log: string) => {
    for (const secret of halves) expect(log).not.toContain(secret);
  };

  test("when Telegram can't be reached", async () => {
    const bot = await run(/(Telegram is away)/, { TELEGRAM_API_ROOT: "http://127.0.0.1:9" });
    await bot.kill("SIGKILL");
    expectNoSecret(bot.log.join("\n"));
  });

  test("when Telegram does not know it, which ends the bot", async () => {
    const server = await localServer((_url, response) =>
      response.writeHead(401).end('{"ok":false,"error_code":401,"description":"Unauthorized"}'),
    );
    const failure: Error = await run(/(is ready)/, { TELEGRAM_API_ROOT: server.url }).then(
      () => new Error("It started"),
      (error) => error,
    );
    await server.close();
    expect(failure.message).toContain("Set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you");
    expectNoSecret(failure.message);
  });
});

test("without a token the bot says where to get one", async () => {
  const start = startProgram([NODE, built("telegram.js")], /(is ready)/, { cwd: tmpdir(), env: {} });
  await expect(start).rejects.toThrow("TELEGRAM_BOT_TOKEN is not set. @BotFather on Telegram gives you one");
});

test("a fault that ends the bot is reported to Sentry, without a word of it", async () => {
  const fault = `process.on("SIGUSR2", () => { throw new RangeError("${TOKEN}"); })`;
  const world = await TelegramWorld.start();
  const sentry = await startSentryReceiver();
  const bot = await startBotProcess(world, "http://127.0.0.1:9", {
    SENTRY_DSN: sentry.dsn,
    OUTBOUND_ALLOW: "127.0.0.1",
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(fault)}`,
  });
  expect(await bot.kill("SIGUSR2")).toEqual({ code: 1, signal: null });
  await world.stop();
  await sentry.close();
  expect(sentry.envelopes).toHaveLength(1);
  expect(sentry.envelopes[0]?.lines[2]).toMatchObject({
    level: "fatal",
    exception: { values: [{ type: "RangeError", mechanism: { handled: false } }] },
  });
  expect(sentry.envelopes[0]?.raw).not.toContain(TOKEN);
});
