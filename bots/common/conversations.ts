import { type Conversation, type Conversation_Message, SessionMetadata } from "../../src/gen/acai/chat/chat";
import type { ChatServiceClient } from "../../src/gen/acai/chat/chat.twirp-client";
import { BackOff, type Pace } from "./back-off.ts";
import { ServerError, toServerError } from "./server.ts";

/** Where a message comes from, on whatever platform, and what makes it the same one when it comes again. */
export interface Origin {
  /** Such as `telegram`. */
  readonly platform: string;
  /** Of the bot that got it: one platform may deliver one event to several. */
  readonly botId: string;
  /** The platform's own id of the delivery, the same each time it is repeated. */
  readonly eventId: string;
  readonly userId: string;
  readonly chatId: string;
  /** IANA name and BCP 47 tag; empty means the server's defaults. */
  readonly timezone: string;
  readonly locale: string;
}

export interface ConversationsOptions {
  readonly client: ChatServiceClient;
  /** Ends all waiting for the server: what waits then rejects. A call under way goes on. */
  readonly signal: AbortSignal;
  /** Hears of every try: what went wrong, or undefined. */
  readonly onTry: (error: ServerError | undefined) => void;
  /** Default: 500 ms to 15 s. */
  readonly pace?: Pace;
}

/** Hears, once, that the answer has to wait because the server is away. */
export type OnAway = () => Promise<void>;

export interface Transcript {
  readonly conversation: Conversation;
  /** The last ones, oldest first. */
  readonly messages: readonly Conversation_Message[];
}

/** Tries of a message that the server took and could not answer for a passing reason. */
const PASSING_TRIES = 4;
/** Whoever asks for longer does not count as passing, in milliseconds. */
const LONGEST_PASSING_MS = 30_000;
const PAGE_SIZE = 500;

/** How often a message has found the server away before the person is told: once may be a restart. */
const TRIES_BEFORE_NOTICE = 3;

/**
 * A bot's side of its conversations. It remembers nothing that is needed later: who talks where is in
 * each {@link Origin}, the rest is with the server.
 *
 * While the server is away calls wait, for as long as it takes; all else that goes wrong is a
 * {@link ServerError}.
 */
export class Conversations {
  readonly #options: ConversationsOptions;
  /** The chats that know that the server is away. */
  readonly #told = new Set<string>();

  constructor(options: ConversationsOptions) {
    this.#options = options;
  }

  /** The reply to a message in its session's conversation. Repeated, it makes no second turn. */
  async reply(origin: Origin, message: string, onAway: OnAway): Promise<string> {
    const { client } = this.#options;
    const request = {
      conversationId: "",
      message,
      sessionMetadata: sessionMetadata(origin),
      idempotencyKey: idempotencyKey(origin),
    };
    const { reply } = await this.#untilAnswered(origin, onAway, () => client.ContinueConversation(request));
    return reply;
  }

  /** Lets the session's next message begin a new conversation. */
  async end(origin: Origin, onAway: OnAway): Promise<void> {
    const { client } = this.#options;
    const request = { sessionMetadata: sessionMetadata(origin), idempotencyKey: idempotencyKey(origin) };
    await this.#untilAnswered(origin, onAway, () => client.EndSession(request));
  }

  /** The session's conversation with its last messages; undefined before its first one. */
  async transcript(origin: Origin, count: number, onAway: OnAway): Promise<Transcript | undefined> {
    const { client } = this.#options;
    const request = { conversationId: "", sessionMetadata: sessionMetadata(origin), pageSize: PAGE_SIZE };
    let messages: Conversation_Message[] = [];
    for (let pageToken = ""; ; ) {
      const page = await this.#untilAnswered(origin, onAway, () =>
        client.DescribeConversation({ ...request, pageToken }),
      ).catch((error) => {
        if (error instanceof ServerError && error.code === "not_found") return undefined;
        throw error;
      });
      if (!page?.conversation) return undefined;
      messages = [...messages, ...page.conversation.messages].slice(-count);
      pageToken = page.nextPageToken;
      if (pageToken === "") return { conversation: page.conversation, messages };
    }
  }

  async #untilAnswered<T>(origin: Origin, onAway: OnAway, call: () => Promise<T>): Promise<T> {
    const { signal, onTry, pace = { firstMs: 500, maxMs: 15_000 } } = this.#options;
    const chat = `${origin.platform} ${origin.chatId}`;
    const backOff = new BackOff(pace, signal);
    for (let passing = 1, away = 0, waitMs = 0; ; await backOff.wait(waitMs)) {
      try {
        const answer = await call();
        this.#told.delete(chat);
        onTry(undefined);
        return answer;
      } catch (cause) {
        const error = toServerError(cause);
        onTry(error);
        if (error.trouble === "final") throw error;
        if (error.trouble === "passing" && (++passing > PASSING_TRIES || error.waitMs > LONGEST_PASSING_MS)) {
          throw error;
        }
        if (error.trouble === "away" && ++away >= TRIES_BEFORE_NOTICE && !this.#told.has(chat)) {
          this.#told.add(chat);
          await onAway();
        }
        waitMs = error.waitMs;
      }
    }
  }
}

/** The session's key, with the person's time zone and locale. */
function sessionMetadata({ platform, userId, chatId, timezone, locale }: Origin): SessionMetadata {
  return SessionMetadata.create({ platform, userId, chatId, timezone, locale });
}

function idempotencyKey({ platform, botId, eventId }: Origin): string {
  return `${platform}:${botId}:${eventId}`;
}
