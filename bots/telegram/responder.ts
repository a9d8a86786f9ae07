import { type Api, GrammyError, HttpError } from "grammy";
import type { Update, UserFromGetMe } from "grammy/types";
import type { Conversations, Origin } from "../common/conversations.ts";
import type { RateLimit } from "../common/rate-limit.ts";
import { ServerError } from "../common/server.ts";
import { describeApiError } from "./api.ts";
import { deliver, say, whileTyping } from "./deliver.ts";
import { formatHistory } from "./history.ts";
import { type Content, type Incoming, readUpdate } from "./incoming.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { languageTag, readSetting, type Settings, type SettingsMenu } from "./settings.ts";
import { describeTrouble, TEXTS } from "./texts.ts";

export interface ResponderOptions {
  readonly api: Api;
  readonly me: UserFromGetMe;
  readonly conversations: Conversations;
  readonly settings: SettingsMenu;
  readonly limit: RateLimit;
  /** Ids of users and chats; not set: everyone. */
  readonly allowed?: readonly number[];
  /** Aborts when the bot stops waiting: what is undone then is left for the next delivery. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** How the answer to an update ended, for the metrics. */
export type Outcome = "answered" | "refused" | "failed" | "undeliverable";

const HISTORY_MESSAGES = 10;
const MAX_ALBUMS = 1_000;

/** Gives each update its answer. */
export class Responder {
  readonly #options: ResponderOptions;
  /** Albums that were answered; only of their first messages, or else of captions, is more to say. */
  readonly #albums = new Set<string>();

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** Rejects only when the bot stops before the answer was sent. */
  async respond(update: Update): Promise<void> {
    const { me, log, metrics, signal } = this.#options;
    const id = update.update_id;
    let incoming: Incoming | undefined;
    try {
      incoming = readUpdate(update, me);
      if (incoming) metrics.updates.inc({ outcome: await this.#outcome(incoming) });
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof GrammyError || error instanceof HttpError) {
        // Blocked by the person, no right to write in the group, or out of patience with Telegram.
        metrics.updates.inc({ outcome: "undeliverable" });
        log.warn({ update: id, ...describeApiError(error) }, "An answer could not be delivered");
      } else {
        metrics.updates.inc({ outcome: "failed" });
        log.error({ update: id, err: error }, "The bot has a fault; an update got no answer");
        if (incoming) await say(this.#options.api, incoming.place, TEXTS.fault).catch(() => undefined);
      }
    }
  }

  async #outcome(incoming: Incoming): Promise<Outcome> {
    const { allowed, api, limit, log, signal } = this.#options;
    const { place, userId, sentAt } = incoming;
    if (allowed && !allowed.includes(userId) && !allowed.includes(place.chatId)) {
      await say(api, place, TEXTS.notAllowed(String(userId)));
      return "refused";
    }
    const admission = await limit.admit(String(userId), sentAt);
    if (admission !== "admitted") {
      if (admission === "first_refusal") await say(api, place, TEXTS.tooMany(limit.perMinute));
      return "refused";
    }
    try {
      await this.#answer(incoming, incoming.content);
      return "answered";
    } catch (error) {
      if (signal.aborted || !(error instanceof ServerError)) throw error;
      log.warn(
        { update: incoming.updateId, code: error.code, reason: error.reason },
        "A message got no answer",
      );
      await say(api, place, describeTrouble(error));
      return "failed";
    }
  }

  async #answer(incoming: Incoming, content: Content): Promise<void> {
    const { api } = this.#options;
    const { place, albumId } = incoming;
    const laterOfAlbum = albumId !== undefined && !this.#isFirstOf(albumId);
    switch (content.type) {
      case "text":
        if (content.text === "") await say(api, place, TEXTS.nothingSaid);
        else await this.#reply(incoming, content.text);
        break;
      case "command":
        await this.#command(incoming, content.name, content.argument);
        break;
      case "location":
        await this.#locate(incoming, content.latitude, content.longitude);
        break;
      case "unreadable":
        if (!laterOfAlbum) await say(api, place, TEXTS.unreadable[content.kind]);
        break;
    }
  }

  async #command(incoming: Incoming, name: string, argument: string): Promise<void> {
    const { api, me } = this.#options;
    const { place } = incoming;
    switch (name) {
      case "start":
        if (argument === "settings") await this.#settings(incoming, "");
        else await say(api, place, TEXTS.welcome(me.first_name));
        break;
      case "help":
        await say(api, place, TEXTS.help);
        break;
      case "new":
        await this.#begin(incoming, argument);
        break;
      case "history":
        await this.#history(incoming);
        break;
      case "settings":
        await this.#settings(incoming, argument);
        break;
      default:
        await say(api, place, TEXTS.unknownCommand(name));
    }
  }

  async #reply(incoming: Incoming, message: string): Promise<void> {
    const { api, conversations, metrics } = this.#options;
    const { place } = incoming;
    const origin = await this.#origin(incoming);
    const observe = metrics.turns.startTimer();
    const reply = await whileTyping(api, place, () =>
      conversations.reply(origin, message, () => this.#tellAway(place)),
    );
    observe();
    await deliver(api, place, reply);
  }

  async #begin(incoming: Incoming, message: string): Promise<void> {
    const { api, conversations } = this.#options;
    await conversations.end(await this.#origin(incoming), () => this.#tellAway(incoming.place));
    if (message === "") await say(api, incoming.place, TEXTS.newConversation);
    else await this.#reply(incoming, message);
  }

  async #history(incoming: Incoming): Promise<void> {
    const { api, conversations } = this.#options;
    const { place } = incoming;
    const origin = await this.#origin(incoming);
    const transcript = await conversations.transcript(origin, HISTORY_MESSAGES, () => this.#tellAway(place));
    if (transcript) await deliver(api, place, formatHistory(transcript));
    else await say(api, place, TEXTS.noHistory);
  }

  /** Settings are the person's own, and so only changed in private. */
  async #settings(incoming: Incoming, argument: string): Promise<void> {
    const { api, me } = this.#options;
    const { place, userId } = incoming;
    if (!incoming.isPrivate) {
      await say(api, place, TEXTS.settingsInPrivate(me.username));
      return;
    }
    const current = await this.#settingsOf(userId);
    if (argument === "") {
      const { timezone, language } = { ...TEXTS.automatic, ...current };
      await say(api, place, TEXTS.settings(timezone, language), {
        keyboard: [[{ text: TEXTS.shareLocation, request_location: true }]],
        one_time_keyboard: true,
        resize_keyboard: true,
      });
      return;
    }
    const change = argument.toLowerCase() === "reset" ? {} : readSetting(argument);
    if (!change) await say(api, place, TEXTS.settingsUnclear(argument.slice(0, 100)));
    else await this.#change(incoming, argument.toLowerCase() === "reset" ? {} : { ...current, ...change });
  }

  async #locate(incoming: Incoming, latitude: number, longitude: number): Promise<void> {
    // Its maps take a while to load, and few people share where they are.
    const { default: timezoneAt } = await import("@photostructure/tz-lookup");
    const current = await this.#settingsOf(incoming.userId);
    await this.#change(incoming, { ...current, timezone: timezoneAt(latitude, longitude) });
  }

  async #change({ place, userId, updateId }: Incoming, wanted: Settings): Promise<void> {
    const { api, log, settings, signal } = this.#options;
    try {
      const { timezone, language } = { ...TEXTS.automatic, ...(await settings.write(userId, wanted)) };
      await say(api, place, TEXTS.settingsChanged(timezone, language), { remove_keyboard: true });
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn({ update: updateId, ...describeApiError(error) }, "Settings could not be kept");
      await say(api, place, TEXTS.settingsNotKept);
    }
  }

  /** Without them an answer is still one. */
  async #settingsOf(userId: number): Promise<Settings> {
    try {
      return await this.#options.settings.read(userId);
    } catch (error) {
      this.#options.log.debug(describeApiError(error), "Settings could not be read");
      return {};
    }
  }

  /** The session: a person in a chat, or in one topic of it. */
  async #origin({ updateId, place, userId, languageCode }: Incoming): Promise<Origin> {
    const { timezone = "", language } = await this.#settingsOf(userId);
    return {
      platform: "telegram",
      botId: String(this.#options.me.id),
      eventId: String(updateId),
      userId: String(userId),
      chatId: place.threadId === undefined ? String(place.chatId) : `${place.chatId}/${place.threadId}`,
      timezone,
      locale: language ?? languageTag(languageCode),
    };
  }

  async #tellAway(place: Incoming["place"]): Promise<void> {
    await say(this.#options.api, place, TEXTS.serverAway);
  }

  #isFirstOf(albumId: string): boolean {
    if (this.#albums.has(albumId)) return false;
    this.#albums.add(albumId);
    for (const oldest of this.#albums) {
      if (this.#albums.size <= MAX_ALBUMS) break;
      this.#albums.delete(oldest);
    }
    return true;
  }
}
