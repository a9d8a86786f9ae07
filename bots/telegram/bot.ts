import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Update } from "grammy/types";
import type { Config } from "../../src/config.ts";
import type { Pace } from "../common/back-off.ts";
import { Conversations } from "../common/conversations.ts";
import { Inbox } from "../common/inbox.ts";
import { RateLimit } from "../common/rate-limit.ts";
import { connectTo } from "../common/server.ts";
import { createApi, describeApiError } from "./api.ts";
import { COMMANDS } from "./incoming.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { createMonitor, type Reachable } from "./monitor.ts";
import { ALLOWED_UPDATES, Poller } from "./poller.ts";
import { Responder } from "./responder.ts";
import { SettingsMenu } from "./settings.ts";
import { createWebhook, webhookSecret } from "./webhook.ts";

export interface BotDeps {
  readonly log: Log;
  /** Between tries of calls that failed. */
  readonly pace?: Pace;
}

export interface RunningBot {
  /** Of /health, /ready and /metrics. */
  readonly monitorUrl: string;
  /** Where webhook deliveries are taken; undefined when the bot polls. */
  readonly webhookUrl: string | undefined;
  /** Takes no more updates, and gives those at work `graceMs` to end. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts the bot: long polling, or with TELEGRAM_WEBHOOK_URL a webhook.
 *
 * @throws GrammyError when Telegram does not take the token; ListenError when a port can't be had.
 */
export async function startBot(config: Config, token: string, { log, pace }: BotDeps): Promise<RunningBot> {
  const waiting = new AbortController();
  const reachable: Reachable = {};
  const metrics = createMetrics(() => inbox.size);
  const api = createApi({
    token,
    root: config.TELEGRAM_API_ROOT,
    signal: waiting.signal,
    pace,
    onFailure(method, code) {
      metrics.telegramFailures.inc({ method, code });
      const passes = code === 0 || code === 429 || code >= 500;
      if (passes && method !== "getUpdates") log.warn({ method, code }, "Telegram is away, or busy");
    },
  });
  const conversations = new Conversations({
    client: connectTo({ url: config.API_URL, apiKey: config.API_KEY }),
    signal: waiting.signal,
    pace,
    onTry(error) {
      reachable.server = error?.trouble !== "away";
      if (!error) return;
      metrics.serverFailures.inc({ trouble: error.trouble });
      if (error.trouble === "away") log.warn({ err: error, url: config.API_URL }, "The server is away");
    },
  });
  const me = await api.getMe();
  const responder = new Responder({
    api,
    me,
    conversations,
    settings: new SettingsMenu(api),
    limit: new RateLimit(config.TELEGRAM_MESSAGES_PER_MINUTE),
    allowed: config.TELEGRAM_ALLOWED,
    signal: waiting.signal,
    log,
    metrics,
  });
  const inbox = new Inbox<Update>({
    idOf: ({ update_id }) => update_id,
    laneOf,
    handle: (update) => responder.respond(update),
  });

  const monitor = createMonitor(reachable, metrics.registry);
  const monitorUrl = await listen(monitor, config, "TELEGRAM_MONITOR");
  await api.setMyCommands([...COMMANDS]).catch((error) => {
    log.warn(describeApiError(error), "Telegram did not take the list of commands");
  });

  const take = (update: Update) => inbox.take(update);
  const source = config.TELEGRAM_WEBHOOK_URL
    ? await startWebhook(config.TELEGRAM_WEBHOOK_URL)
    : await startPolling();
  log.info(`@${me.username} is ready, and talks to ${config.API_URL}; ${monitorUrl}/metrics tells how it is`);

  async function startPolling() {
    await api.deleteWebhook();
    const poller = new Poller({
      api,
      take,
      window: config.TELEGRAM_PARALLEL,
      log,
      pace,
      onTry(succeeded) {
        reachable.telegram = succeeded;
      },
    });
    poller.start();
    return { url: undefined, stop: () => poller.stop(), finish: () => poller.confirm() };
  }

  async function startWebhook(publicUrl: string) {
    const secret = webhookSecret(token);
    const server = createWebhook({ path: new URL(publicUrl).pathname, secret, take, log });
    const url = await listen(server, config, "TELEGRAM_WEBHOOK");
    await api.setWebhook(publicUrl, {
      secret_token: secret,
      max_connections: config.TELEGRAM_PARALLEL,
      allowed_updates: ALLOWED_UPDATES,
    });
    reachable.telegram = true;
    return { url, stop: async () => void server.close(), finish: async () => server.closeAllConnections() };
  }

  return {
    monitorUrl,
    webhookUrl: source.url,
    async stop(graceMs) {
      // What waits for somebody who is away, or behind others, is left; calls under way may end.
      waiting.abort();
      await source.stop();
      const ended = new AbortController();
      inbox.close().finally(() => ended.abort());
      await sleep(graceMs, undefined, { signal: ended.signal }).catch(() => undefined);
      await source.finish().catch((error) => {
        log.warn(
          describeApiError(error),
          "Telegram could not be told what is done, and will deliver it again",
        );
      });
      monitor.close();
    },
  };
}

/** Of all that belongs to one chat; the chat's order is Telegram's promise, and kept. */
function laneOf({ message, edited_message: edited }: Update): string {
  return String((message ?? edited)?.chat.id ?? "");
}

/** A port can't be had; its text says which to set. */
export class ListenError extends Error {}

/** @param setting what the names of the settings for host and port begin with. */
async function listen(
  server: Server,
  config: Config,
  setting: "TELEGRAM_MONITOR" | "TELEGRAM_WEBHOOK",
): Promise<string> {
  try {
    server.listen(config[`${setting}_PORT`], config[`${setting}_HOST`]);
    await once(server, "listening");
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new ListenError(
      `The bot can't start (${problem}). Set ${setting}_HOST and ${setting}_PORT to an address of this machine that is free.`,
      { cause },
    );
  }
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
