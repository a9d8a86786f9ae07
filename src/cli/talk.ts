import { randomUUID } from "node:crypto";
import type { SessionMetadata, StartConversationRequest } from "../gen/acai/chat/chat";
import type { Services } from "./client.ts";

export interface Answer {
  readonly conversationId: string;
  readonly title: string;
  readonly reply: string;
}

export interface TalkOptions {
  readonly connect: (signal?: AbortSignal) => Pick<Services, "chat">;
  readonly metadata: SessionMetadata;
  /** Of the conversation to go on with; without, the first message starts one. */
  readonly conversationId?: string;
}

/** One conversation, from this side: each message goes on where the one before left off. */
export class Talk {
  readonly #options: TalkOptions;
  #id: string | undefined;
  /** Starts a conversation whose id did not come, because its answer was not waited for. */
  #unheard: StartConversationRequest | undefined;

  constructor(options: TalkOptions) {
    this.#options = options;
    this.#id = options.conversationId;
  }

  /** Undefined until a first answer has come. */
  get conversationId(): string | undefined {
    return this.#id;
  }

  /** @throws TwirpError; `canceled` when the signal aborts. */
  async say(message: string, signal?: AbortSignal): Promise<Answer> {
    if (this.#unheard) await this.#learnId(this.#unheard, signal);
    const request = {
      message,
      sessionMetadata: this.#options.metadata,
      idempotencyKey: randomUUID(),
    };
    const client = this.#options.connect(signal).chat;
    if (this.#id !== undefined) {
      return await client.ContinueConversation({ ...request, conversationId: this.#id });
    }
    try {
      const answer = await client.StartConversation(request);
      this.#id = answer.conversationId;
      return answer;
    } catch (error) {
      if (signal?.aborted) this.#unheard = request;
      throw error;
    }
  }

  /** Sent again, a request is attached to its turn, and so answered with its conversation's id. */
  async #learnId(start: StartConversationRequest, signal?: AbortSignal): Promise<void> {
    try {
      this.#id = (await this.#options.connect(signal).chat.StartConversation(start)).conversationId;
    } catch (error) {
      if (signal?.aborted) throw error;
    }
    this.#unheard = undefined;
  }
}
