import type { Step, ToolCall } from "../../core/assistant/step.ts";
import type { Conversation, NewConversation, TitleState } from "../../core/chat/conversation.ts";
import type {
  Lease,
  NewTurn,
  RunningTurn,
  StoredMessage,
  Turn,
  TurnBase,
  TurnError,
  TurnRef,
  TurnState,
} from "../../core/chat/turn.ts";
import type { UserLocale } from "../../core/context.ts";
import type { Id } from "../../core/ids.ts";
import type { ModelCall } from "../../core/ledger/model-call.ts";
import type { FinishReason } from "../../core/model/language-model.ts";
import type { Sums } from "./conversation-sums.ts";
import {
  type CallDocument,
  toCallDocument,
  toUsage,
  toUsageDocument,
  type UsageDocument,
  type Whole,
} from "./usage-documents.ts";

// Names are snake_case, times are BSON dates. Ids are the core's own strings and not ObjectIds, so that
// an id reads the same in a URL, a log, a backup and the mongo shell, and comes back as it was given.

export interface ConversationDocument {
  _id: Id;
  owner: string;
  title: string;
  title_state: TitleState;
  /** 0 until the first turn stands: such a conversation is in no list. */
  turn_count: number;
  message_count: number;
  created_at: Date;
  updated_at: Date;
}

export interface TurnDocument {
  /**
   * `<conversation_id>:<seq>`. So of turns begun at the same time all but one are refused at this index,
   * before the others: FerretDB's other unique indexes can deadlock over rows that clash in two of them.
   */
  _id: string;
  turn_id: Id;
  conversation_id: Id;
  seq: number;
  owner: string;
  idempotency_key?: string;
  request_hash: string;
  message_offset: number;
  user: MessageDocument;
  user_locale: UserLocale;
  platform?: string;
  user_id?: string;
  steps: StepDocument[];
  /** What was said of its model calls, as a log, until that is in the ledger: see ledger.ts. */
  calls?: CallDocument[];
  /** How many entries the log has ever had. */
  calls_written?: number;
  /** The log has something for the ledger, once the turn has ended. */
  usage_due?: true;
  state: TurnState["state"];
  reply?: MessageDocument;
  error?: TurnError;
  /** It stays when the turn ends: its holder tells whose write that was. */
  lease: LeaseDocument;
  /** A failed turn that another one follows, or is about to: it is not reopened. */
  superseded?: true;
  attempts: number;
  created_at: Date;
  updated_at: Date;
}

export interface SessionDocument {
  /** The session's key. */
  _id: string;
  conversation_id: Id;
  expires_at: Date;
}

interface MessageDocument {
  message_id: Id;
  content: string;
  created_at: Date;
}

interface LeaseDocument {
  holder: string;
  expires_at: Date;
}

interface StepDocument {
  provider: string;
  model: string;
  content: string;
  tool_calls: ToolCallDocument[];
  finish_reason: FinishReason;
  usage?: UsageDocument;
  started_at: Date;
  duration_ms: number;
  first_token_ms?: number;
}

interface ToolCallDocument {
  id: string;
  name: string;
  arguments: string;
  result?: string;
  error?: string;
  duration_ms?: number;
}

export function newConversationDocument(conversation: NewConversation): ConversationDocument {
  const createdAt = new Date(conversation.createdAt);
  return {
    _id: conversation.id,
    owner: conversation.owner,
    title: conversation.title,
    title_state: "pending",
    turn_count: 0,
    message_count: 0,
    created_at: createdAt,
    updated_at: createdAt,
  };
}

export function toConversation(document: ConversationDocument): Whole<Conversation> {
  return {
    id: document._id,
    owner: document.owner,
    title: document.title,
    titleState: document.title_state,
    turnCount: document.turn_count,
    messageCount: document.message_count,
    createdAt: document.created_at.getTime(),
    updatedAt: document.updated_at.getTime(),
  };
}

/** @param before what the conversation has, up to the turn before it. */
export function newTurnDocument(
  turn: NewTurn,
  before: Pick<Sums, "turnCount" | "messageCount">,
  calls: readonly ModelCall[],
): TurnDocument {
  const createdAt = new Date(turn.createdAt);
  const seq = before.turnCount + 1;
  return {
    _id: turnDocumentId({ conversationId: turn.conversationId, seq }),
    turn_id: turn.id,
    conversation_id: turn.conversationId,
    seq,
    owner: turn.owner,
    idempotency_key: turn.idempotencyKey,
    request_hash: turn.requestHash,
    message_offset: before.messageCount,
    user: toMessageDocument(turn.user),
    user_locale: turn.userLocale,
    platform: turn.platform,
    user_id: turn.userId,
    steps: [],
    calls: calls.map(toCallDocument),
    calls_written: calls.length,
    state: "running",
    lease: toLeaseDocument(turn.lease),
    attempts: 1,
    created_at: createdAt,
    updated_at: createdAt,
  };
}

export function turnDocumentId({ conversationId, seq }: TurnRef): string {
  return `${conversationId}:${seq}`;
}

export function toTurn(document: TurnDocument): Turn {
  const base: Whole<TurnBase> = {
    id: document.turn_id,
    conversationId: document.conversation_id,
    seq: document.seq,
    owner: document.owner,
    messageOffset: document.message_offset,
    idempotencyKey: document.idempotency_key,
    requestHash: document.request_hash,
    userLocale: document.user_locale,
    platform: document.platform,
    userId: document.user_id,
    user: toMessage(document.user),
    steps: document.steps.map(toStep),
    attempts: document.attempts,
    createdAt: document.created_at.getTime(),
    updatedAt: document.updated_at.getTime(),
  };
  const { state, lease, reply, error } = document;
  if (state === "running") {
    return { ...base, state, lease: { holder: lease.holder, expiresAt: lease.expires_at.getTime() } };
  }
  if (state === "completed" && reply) return { ...base, state, reply: toMessage(reply) };
  if (state === "failed" && error) return { ...base, state, error };
  throw new Error(`Turn ${document._id} is ${state} without its outcome`);
}

export function toRunningTurn(document: TurnDocument): RunningTurn {
  const turn = toTurn(document);
  if (turn.state !== "running") throw new Error(`Turn ${turn.id} is ${turn.state}, not running`);
  return turn;
}

export function toLeaseDocument(lease: Lease): LeaseDocument {
  return { holder: lease.holder, expires_at: new Date(lease.expiresAt) };
}

export function toMessageDocument(message: StoredMessage): MessageDocument {
  return {
    message_id: message.messageId,
    content: message.content,
    created_at: new Date(message.createdAt),
  };
}

function toMessage(document: MessageDocument): Whole<StoredMessage> {
  return {
    messageId: document.message_id,
    content: document.content,
    createdAt: document.created_at.getTime(),
  };
}

export function toStepDocument(step: Step): Whole<StepDocument> {
  return {
    provider: step.provider,
    model: step.model,
    content: step.content,
    tool_calls: step.toolCalls.map((call) => ({
      id: call.id,
      name: call.name,
      arguments: call.arguments,
      result: call.result,
      error: call.error,
      duration_ms: call.durationMs,
    })),
    finish_reason: step.finishReason,
    usage: step.usage && toUsageDocument(step.usage),
    started_at: new Date(step.startedAt),
    duration_ms: step.durationMs,
    first_token_ms: step.firstTokenMs,
  };
}

function toStep(document: StepDocument): Whole<Step> {
  return {
    provider: document.provider,
    model: document.model,
    content: document.content,
    toolCalls: document.tool_calls.map(toToolCall),
    finishReason: document.finish_reason,
    usage: document.usage && toUsage(document.usage),
    startedAt: document.started_at.getTime(),
    durationMs: document.duration_ms,
    firstTokenMs: document.first_token_ms,
  };
}

function toToolCall(document: ToolCallDocument): Whole<ToolCall> {
  return {
    id: document.id,
    name: document.name,
    arguments: document.arguments,
    result: document.result,
    error: document.error,
    durationMs: document.duration_ms,
  };
}
