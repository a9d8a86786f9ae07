import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import type { BotCommand, Message, MessageEntity, Update } from "grammy/types";
import TelegramServer from "telegram-test-api";
import { type RunningBot, startBot } from "../../bots/telegram/bot.ts";
import { createLog, secretsOf } from "../../bots/telegram/log.ts";
import { readConfig } from "../../src/config.ts";
import { brokenRule } from "./bot-api-rules.ts";
import { freePort } from "./free-port.ts";
import { built, NODE, type RunningProgram, startProgram } from "./server.ts";

export const TOKEN = "1234567:AAsecret_half-of-the-token";

/** What the bot sent, as the Bot API server took it. */
export interface Sent {
  readonly chat_id: number | string;
  readonly text: string;
  readonly entities?: MessageEntity[];
  readonly message_thread_id?: number;
  readonly reply_parameters?: { message_id: number };
  readonly reply_markup?: unknown;
}

interface Refusal {
  readonly error_code: number;
  readonly description: string;
  readonly parameters?: { retry_after?: number; migrate_to_chat_id?: number };
}

interface Held {
  readonly update: Update;
  deliveries: number;
  /** How often it is delivered at least: more than once against Telegram's promise. */
  readonly wanted: number;
  confirmed: boolean;
}

/**
 * telegram-test-api with a front that gives it what it lacks of the real Bot API: it hands every update
 * out once, whatever its offset, never waits, takes any message, and knows no chat actions or commands.
 * The front holds updates until they are confirmed, delivers them until then and, where a test wants
 * it, beyond; it polls long, and refuses messages that break the documented rules.
 */
export class TelegramWorld {
  /** What makes a call fail; each is used once, for the first call of the method. */
  readonly refusals: { method: string; refusal: Refusal | "hang up" }[] = [];
  /** Names of the methods that were called, in order. */
  readonly calls: string[] = [];
  readonly #server: TelegramServer;
  readonly #front: Server;
  readonly #held = new Map<number, Held>();
  readonly #menus = new Map<string, BotCommand[]>();
  #deliveries: () => number = () => 1;

  private constructor(server: TelegramServer) {
    this.#server = server;
    this.#front = createServer((request, response) => {
      this.#answer(request, response).catch((error) => response.destroy(error));
    });
  }

  static async start(): Promise<TelegramWorld> {
    const server = new TelegramServer({ port: await freePort(), host: "127.0.0.1", storeTimeout: 86_400 });
    await server.start();
    const world = new TelegramWorld(server);
    world.#front.listen(0, "127.0.0.1");
    await once(world.#front, "listening");
    return world;
  }

  /** For TELEGRAM_API_ROOT. */
  get root(): string {
    return `http://127.0.0.1:${(this.#front.address() as AddressInfo).port}`;
  }

  /** All that the bot has sent to a chat, in order. */
  sentTo(chatId: number): Sent[] {
    return this.#server.storage.botMessages
      .map(({ message }) => message as unknown as Sent)
      .filter(({ chat_id }) => Number(chat_id) === chatId);
  }

  /** Waits until the bot has sent so many messages to the chat, and returns the last of them. */
  async answers(chatId: number, count: number): Promise<Sent> {
    for (;;) {
      const last = this.sentTo(chatId)[count - 1];
      if (last) return last;
      await delay(10);
    }
  }

  /** How often each update of now on is delivered. */
  repeatDeliveries(times: () => number): void {
    this.#deliveries = times;
  }

  /** How often each update was delivered, once all are confirmed and delivered as often as wanted. */
  async deliveries(): Promise<number[]> {
    const held = [...this.#held.values()];
    while (!held.every(({ confirmed, deliveries, wanted }) => confirmed && deliveries >= wanted))
      await delay(20);
    return held.map(({ deliveries }) => deliveries);
  }

  /** A person writes to the bot in private; `fields` override parts of the message. */
  async write(userId: number, words: string, fields: Partial<Message> = {}): Promise<void> {
    const client = this.#server.getClient(TOKEN, { chatId: userId, userId, firstName: `Person ${userId}` });
    const isCommand = words.startsWith("/");
    const message = isCommand ? client.makeCommand(words) : client.makeMessage(words);
    const { ok } = isCommand
      ? await client.sendCommand({ ...message, ...fields } as never)
      : await client.sendMessage({ ...message, text: words || undefined, ...fields } as never);
    if (!ok) throw new Error("telegram-test-api did not take the message");
  }

  /** Delivers an update that telegram-test-api can't make, such as an edited message. */
  deliver(update: Omit<Update, "update_id">): number {
    const update_id = 1_000_000 + this.#held.size;
    const held = { update: { ...update, update_id }, deliveries: 0, wanted: 1, confirmed: false };
    this.#held.set(update_id, held);
    return update_id;
  }

  /** Whether Telegram has forgotten the update, since the bot confirmed it. */
  isConfirmed(updateId: number): boolean {
    return this.#held.get(updateId)?.confirmed ?? false;
  }

  async stop(): Promise<void> {
    this.#front.closeAllConnections();
    this.#front.close();
    await this.#server.stop();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.url?.split("/").at(-1) ?? "";
    const body = await text(request);
    const payload = body === "" ? {} : JSON.parse(body);
    this.calls.push(method);
    const end = (status: number, answer: object) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    };
    const refuse = (refusal: Refusal) => end(refusal.error_code, { ok: false, ...refusal });

    if (!request.url?.startsWith(`/bot${TOKEN}/`)) {
      return refuse({ error_code: 401, description: "Unauthorized" });
    }
    const planned = this.refusals.findIndex((plan) => plan.method === method);
    if (planned >= 0) {
      const [plan] = this.refusals.splice(planned, 1);
      if (!plan || plan.refusal === "hang up") return void response.destroy();
      return refuse(plan.refusal);
    }
    switch (method) {
      case "getUpdates":
        return end(200, { ok: true, result: await this.#getUpdates(payload, request) });
      case "sendChatAction":
        return end(200, { ok: true, result: true });
      case "setMyCommands":
        this.#menus.set(JSON.stringify(payload.scope), payload.commands);
        return end(200, { ok: true, result: true });
      case "getMyCommands":
        return end(200, { ok: true, result: this.#menus.get(JSON.stringify(payload.scope)) ?? [] });
      case "deleteMyCommands":
        this.#menus.delete(JSON.stringify(payload.scope));
        return end(200, { ok: true, result: true });
      case "sendMessage": {
        const problem = brokenRule(payload);
        if (problem) return refuse({ error_code: 400, description: `Bad Request: ${problem}` });
      }
    }
    const { status, data } = await this.#call(method, body);
    end(status, data);
  }

  async #call(method: string, body = "{}"): Promise<{ status: number; data: { result: Update[] } }> {
    const response = await fetch(`${this.#server.config.apiURL}/bot${TOKEN}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return { status: response.status, data: (await response.json()) as { result: Update[] } };
  }

  /** As the Bot API's documentation has it: an update is confirmed by a higher offset. */
  async #getUpdates(
    { offset = 0, limit = 100, timeout = 0 }: { offset?: number; limit?: number; timeout?: number },
    request: IncomingMessage,
  ): Promise<Update[]> {
    for (const [id, held] of this.#held) if (id < offset) held.confirmed = true;
    const until = Date.now() + timeout * 1000;
    for (;;) {
      const { data } = await this.#call("getUpdates");
      for (const update of data.result) {
        const held = { update, deliveries: 0, wanted: this.#deliveries(), confirmed: false };
        this.#held.set(update.update_id, held);
      }
      const due = [...this.#held.values()]
        .filter(({ confirmed, deliveries, wanted }) => !confirmed || deliveries < wanted)
        .sort((a, b) => a.update.update_id - b.update.update_id)
        .slice(0, limit);
      if (request.socket.destroyed) return [];
      if (due.length > 0 || Date.now() >= until) {
        for (const held of due) held.deliveries++;
        return due.map(({ update }) => update);
      }
      await delay(20);
    }
  }
}

/** Starts the built bot (dist/telegram.js), and waits until it is ready. */
export function startBotProcess(
  world: TelegramWorld,
  serverUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningProgram> {
  return startProgram([NODE, built("telegram.js")], /is ready.*(http:\S+)\/metrics/, {
    cwd: tmpdir(),
    env: {
      TELEGRAM_BOT_TOKEN: TOKEN,
      TELEGRAM_API_ROOT: world.root,
      TELEGRAM_MONITOR_PORT: "0",
      API_URL: serverUrl,
      ...env,
    },
  });
}

export interface TestBot extends Pick<RunningBot, "monitorUrl" | "webhookUrl"> {
  /** All lines of its log so far. */
  log(): string;
  stop(): Promise<void>;
}

/** The bot in this process, in a hurry to try again. */
export async function startTestBot(
  world: TelegramWorld,
  serverUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<TestBot> {
  const lines: string[] = [];
  const config = readConfig({
    TELEGRAM_API_ROOT: world.root,
    TELEGRAM_MONITOR_PORT: "0",
    TELEGRAM_WEBHOOK_PORT: "0",
    API_URL: serverUrl,
    ...env,
  });
  const log = createLog("debug", {
    secrets: secretsOf(TOKEN),
    out: { write: (line) => lines.push(line) },
  });
  const bot = await startBot(config, TOKEN, { log, pace: { firstMs: 1, maxMs: 50 } });
  const { monitorUrl, webhookUrl } = bot;
  return { monitorUrl, webhookUrl, log: () => lines.join(""), stop: () => bot.stop(10_000) };
}
