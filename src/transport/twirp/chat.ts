import type { IncomingHttpHeaders } from "node:http";
import type { ToolCall } from "../../core/assistant/step.ts";
import type { ChatService } from "../../core/chat/chat-service.ts";
import type { Conversation } from "../../core/chat/conversation.ts";
import type { TranscriptMessage } from "../../core/chat/transcript.ts";
import type { RequestContext } from "../../core/context.ts";
import { invalidArgument } from "../../core/errors.ts";
import * as pb from "../../gen/acai/chat/chat";
import type { ChatServiceClient } from "../../gen/acai/chat/chat.twirp-client";
import type { TurnGate } from "../incoming/turn-gate.ts";
import type { ServiceBinding } from "./router.ts";
import { toTimestamp } from "./timestamp.ts";

/** The methods of the contract, each with what its HTTP request says besides the message. */
type ChatHandlers = {
  [Method in keyof ChatServiceClient]: (
    request: Parameters<ChatServiceClient[Method]>[0],
    context: RequestContext,
    headers: IncomingHttpHeaders,
  ) => ReturnType<ChatServiceClient[Method]>;
};

/** Serves acai.chat.ChatService: generated messages in, core calls, generated messages out. */
export function bindChatService(chat: ChatService, turns: Pick<TurnGate, "run">): ServiceBinding {
  const handlers: ChatHandlers = {
    StartConversation(request, context, headers) {
      const { message, sessionMetadata } = request;
      const key = idempotencyKey(request.idempotencyKey, headers);
      return turns.run(context.principal, sessionMetadata, () =>
        chat.start(context, { message, sessionMetadata, idempotencyKey: key }),
      );
    },
    ContinueConversation(request, context, headers) {
      const { conversationId, message, sessionMetadata } = request;
      const key = idempotencyKey(request.idempotencyKey, headers);
      return turns.run(context.principal, sessionMetadata, () =>
        chat.continue(context, { conversationId, message, sessionMetadata, idempotencyKey: key }),
      );
    },
    async ListConversations(request, context) {
      const { conversations, nextPageToken } = await chat.list(context, request);
      return {
        conversations: conversations.map((conversation) => toConversation(conversation)),
        nextPageToken,
      };
    },
    async DescribeConversation(request, context) {
      const { conversation, messages, nextPageToken } = await chat.describe(context, request);
      return { conversation: toConversation(conversation, messages), nextPageToken };
    },
    async EndSession(request, context, headers) {
      await chat.endSession(context, {
        sessionMetadata: request.sessionMetadata,
        idempotencyKey: idempotencyKey(request.idempotencyKey, headers),
      });
      return {};
    },
  };
  return { type: pb.ChatService, handlers };
}

function idempotencyKey(field: string, headers: IncomingHttpHeaders): string {
  const header = String(headers["idempotency-key"] ?? "");
  if (field !== "" && header !== "" && field !== header) {
    throw invalidArgument("idempotency_key", "differs from the Idempotency-Key header; send one of them");
  }
  return field || header;
}

function toConversation(
  conversation: Conversation,
  messages: readonly TranscriptMessage[] = [],
): pb.Conversation {
  return {
    id: conversation.id,
    title: conversation.title,
    timestamp: toTimestamp(conversation.createdAt),
    messages: messages.map(toMessage),
    updatedAt: toTimestamp(conversation.updatedAt),
    messageCount: conversation.messageCount,
  };
}

function toMessage(message: TranscriptMessage): pb.Conversation_Message {
  return {
    id: message.messageId,
    role: message.role === "user" ? pb.Conversation_Role.USER : pb.Conversation_Role.ASSISTANT,
    content: message.content,
    timestamp: toTimestamp(message.createdAt),
    toolCalls: message.toolCalls.map(toToolCall),
  };
}

function toToolCall(call: ToolCall): pb.Conversation_ToolCall {
  return {
    name: call.name,
    arguments: call.arguments,
    outcome:
      call.result === undefined
        ? { oneofKind: "error", error: call.error ?? "" }
        : { oneofKind: "result", result: call.result },
    durationMs: call.durationMs ?? 0,
  };
}
