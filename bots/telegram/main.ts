import { GrammyError } from "grammy";
import { type Config, ConfigError, loadConfig } from "../../src/config.ts";
import { openSentry } from "../../src/open-sentry.ts";
import { describeApiError } from "./api.ts";
import { ListenError, type RunningBot, startBot } from "./bot.ts";
import { createLog, secretsOf } from "./log.ts";
import { webhookSecret } from "./webhook.ts";

/** How long the last reports may take to be sent, in milliseconds. */
const SENTRY_CLOSE_MS = 2_000;

/** Exit codes: 0 stopped on request, 1 failed, 2 wrong configuration, 130 stopped in a hurry. */
async function main(): Promise<void> {
  const config = configOrExit();
  const token = config.TELEGRAM_BOT_TOKEN;
  const sentry = await openSentry(config);
  const secrets = [...secretsOf(token), webhookSecret(token)];
  const log = createLog(config.LOG_LEVEL, { secrets, faults: sentry });
  const exit = async (code: number) => {
    await sentry?.close(SENTRY_CLOSE_MS);
    process.exit(code);
  };
  const fail = (error: unknown) => {
    log.fatal(describeApiError(error), "The bot has a fault and stops");
    return exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);

  let bot: RunningBot;
  try {
    bot = await startBot(config, token, { log });
  } catch (error) {
    if (error instanceof ListenError) log.fatal(error.message);
    else log.fatal(describeApiError(error), startProblem(error));
    return exit(1);
  }

  let stopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) process.exit(130);
    stopping = true;
    log.info(`${signal}: stopping when the answers at work are sent; again to stop at once`);
    await bot.stop(config.SHUTDOWN_GRACE_SECONDS * 1000);
    log.info("Stopped");
    await exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function startProblem(error: unknown): string {
  if (error instanceof GrammyError && [401, 404].includes(error.error_code)) {
    return "Telegram does not know this bot. Set TELEGRAM_BOT_TOKEN to the token that @BotFather gave you.";
  }
  return "The bot can't start";
}

function configOrExit(): Config & { readonly TELEGRAM_BOT_TOKEN: string } {
  try {
    const config = loadConfig();
    const { TELEGRAM_BOT_TOKEN } = config;
    if (TELEGRAM_BOT_TOKEN) return { ...config, TELEGRAM_BOT_TOKEN };
    throw new ConfigError(
      "TELEGRAM_BOT_TOKEN is not set. @BotFather on Telegram gives you one; see bots/telegram/README.md.",
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}

await main();
