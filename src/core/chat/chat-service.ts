import { z } from "zod";
import type { RequestContext, UserLocale } from "../context.ts";
import { type AppError, invalidArgument } from "../errors.ts";
import { derivedId, digest, type Id, isId } from "../ids.ts";
import { isBlank } from "./blank.ts";
import { type Conversation, conversationNotFound, type NewConversation } from "./conversation.ts";
import { decodePageToken, encodePageToken, type PageRequest, pageLimit } from "./page.ts";
import { readSession, type Session, type SessionMetadata } from "./session.ts";
import type { SessionStore } from "./session-store.ts";
import { titleFromMessage } from "./title.ts";
import { type MessagePosition, readPage, type TranscriptMessage } from "./transcript.ts";
import type { TurnRequest, TurnResult, TurnRunner, TurnRunnerDeps } from "./turn-runner.ts";

export interface ChatServiceDeps extends Pick<TurnRunnerDeps, "store" | "clock" | "ids"> {
  readonly runner: TurnRunner;
  readonly sessions: SessionStore;
  readonly settings: {
    /** Of a user's message, in code points. */
    readonly maxMessageChars: number;
    readonly defaultLocale: UserLocale;
  };
}

export interface StartRequest {
  readonly message: string;
  readonly sessionMetadata?: SessionMetadata;
  /** Empty means none. */
  readonly idempotencyKey: string;
}

export interface ContinueRequest extends StartRequest {
  /** Empty means the session's conversation. */
  readonly conversationId: string;
}

export interface DescribeRequest extends PageRequest {
  /** Empty means the session's conversation. */
  readonly conversationId: string;
  readonly sessionMetadata?: SessionMetadata;
}

export type EndSessionRequest = Pick<StartRequest, "sessionMetadata" | "idempotencyKey">;

const LIST_PAGE = { default: 50, max: 200 };
const DESCRIBE_PAGE = { default: 100, max: 500 };

const listPosition = z.object({ createdAt: z.number(), id: z.string() });
const messagePosition = z.object({ seq: z.int().min(1), part: z.literal([0, 1]) });

/** The use cases of the contract; see chat.proto for what each promises. All throw AppErrors. */
export class ChatService {
  readonly #deps: ChatServiceDeps;

  constructor(deps: ChatServiceDeps) {
    this.#deps = deps;
  }

  async start(context: RequestContext, request: StartRequest): Promise<TurnResult> {
    const { ids, sessions, clock, runner } = this.#deps;
    const { turn, session } = this.#prepare(context, request, "start");
    const stored = await this.#findByKey(turn);
    if (stored) return await runner.attach(stored, turn, context.log);

    const key = turn.idempotencyKey;
    const conversationId = key === undefined ? ids.next() : derivedId("start", turn.owner, key);
    if (session.key) await sessions.bind(session.key, conversationId, clock.now());
    return await runner.submit(withConversation(turn, conversationId), context.log);
  }

  async continue(context: RequestContext, request: ContinueRequest): Promise<TurnResult> {
    const { ids, sessions, clock, runner } = this.#deps;
    const { conversationId } = request;
    const { turn, session } = this.#prepare(context, request, "continue", conversationId);
    if (conversationId === "" && !session.key) throw sessionRequired();
    if (conversationId !== "" && !isId(conversationId)) throw conversationNotFound();
    const stored = await this.#findByKey(turn);
    if (stored) return await runner.attach(stored, turn, context.log);

    if (conversationId !== "" || !session.key) return await runner.submit({ turn }, context.log);
    const current = await sessions.resolve(session.key, ids.next(), clock.now());
    return await runner.submit(withConversation(turn, current), context.log);
  }

  async list(
    context: RequestContext,
    page: PageRequest,
  ): Promise<{ conversations: Conversation[]; nextPageToken: string }> {
    const limit = pageLimit(page.pageSize, LIST_PAGE);
    const after = decodePageToken(page.pageToken, listPosition);
    const found = await this.#deps.store.listConversations(context.principal, limit + 1, after);
    const conversations = found.slice(0, limit);
    const last = conversations.at(-1);
    const more = found.length > limit && last !== undefined;
    return {
      conversations,
      nextPageToken: more ? encodePageToken({ createdAt: last.createdAt, id: last.id }) : "",
    };
  }

  async describe(
    context: RequestContext,
    request: DescribeRequest,
  ): Promise<{ conversation: Conversation; messages: TranscriptMessage[]; nextPageToken: string }> {
    const { store } = this.#deps;
    const limit = pageLimit(request.pageSize, DESCRIBE_PAGE);
    const from: MessagePosition = decodePageToken(request.pageToken, messagePosition) ?? { seq: 1, part: 0 };
    const id = request.conversationId || (await this.#currentOf(context, request.sessionMetadata));
    const conversation = isId(id) ? await store.findConversation(context.principal, id) : undefined;
    if (!conversation) throw conversationNotFound();
    const { messages, next } = await readPage(store, conversation, from, limit);
    return { conversation, messages, nextPageToken: next ? encodePageToken(next) : "" };
  }

  async endSession(context: RequestContext, request: EndSessionRequest): Promise<void> {
    const { ids, sessions, clock, settings } = this.#deps;
    const { key } = readSession(context.principal, request.sessionMetadata, settings.defaultLocale);
    if (!key) throw invalidArgument("session_metadata", "is required: it names the session");
    const idempotencyKey = readIdempotencyKey(request.idempotencyKey);
    const next =
      idempotencyKey === undefined ? ids.next() : derivedId("end", context.principal, idempotencyKey);
    await sessions.bind(key, next, clock.now());
  }

  /** The conversation that the session's next message would be in; it need not exist yet. */
  async #currentOf(context: RequestContext, metadata: SessionMetadata | undefined): Promise<Id> {
    const { ids, sessions, clock, settings } = this.#deps;
    const { key } = readSession(context.principal, metadata, settings.defaultLocale);
    if (!key) throw sessionRequired();
    return sessions.resolve(key, ids.next(), clock.now());
  }

  #findByKey({ owner, idempotencyKey }: TurnRequest["turn"]) {
    return idempotencyKey === undefined ? undefined : this.#deps.store.findTurnByKey(owner, idempotencyKey);
  }

  /** Checks what all messages have in common. `conversationId` is empty where it is not known yet. */
  #prepare(
    context: RequestContext,
    request: StartRequest,
    method: "start" | "continue",
    conversationId = "",
  ): { turn: TurnRequest["turn"]; session: Session } {
    const { clock, ids, settings } = this.#deps;
    const content = this.#readMessage(request.message);
    const session = readSession(context.principal, request.sessionMetadata, settings.defaultLocale);
    const idempotencyKey = readIdempotencyKey(request.idempotencyKey);
    const createdAt = clock.now();
    const turn = {
      id: ids.next(),
      conversationId,
      owner: context.principal,
      idempotencyKey,
      requestHash: idempotencyKey ? digest(method, conversationId, session.key ?? "", content) : "",
      userLocale: session.userLocale,
      platform: session.platform,
      userId: session.userId,
      user: { messageId: ids.next(), content, createdAt },
      createdAt,
    };
    return { turn, session };
  }

  #readMessage(text: string): string {
    const max = this.#deps.settings.maxMessageChars;
    if (isBlank(text)) throw invalidArgument("message", "must not be blank");
    if (text.length > max && [...text].length > max) {
      throw invalidArgument("message", `must have at most ${max} characters`);
    }
    // JSON can carry half a surrogate pair, which UTF-8 can't.
    return text.toWellFormed();
  }
}

/** The turn in a conversation that is made when it does not exist yet. */
function withConversation(turn: TurnRequest["turn"], conversationId: Id): TurnRequest {
  const ifMissing: NewConversation = {
    id: conversationId,
    owner: turn.owner,
    title: titleFromMessage(turn.user.content),
    createdAt: turn.createdAt,
  };
  return { turn: { ...turn, conversationId }, ifMissing };
}

function sessionRequired(): AppError {
  return invalidArgument("conversation_id", "is required, unless session_metadata names a session");
}

function readIdempotencyKey(text: string): string | undefined {
  if (text === "") return undefined;
  if (!/^[\x20-\x7e]{1,256}$/.test(text)) {
    throw invalidArgument("idempotency_key", "must be at most 256 printable ASCII characters");
  }
  return text;
}
