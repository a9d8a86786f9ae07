import type { Conversation } from "../../core/chat/conversation.ts";
import type { CountedTurn, Turn } from "../../core/chat/turn.ts";

/** What a conversation's document sums up of its turns. */
export type Sums = Pick<Conversation, "turnCount" | "messageCount" | "updatedAt">;

/** A conversation's sums while this turn is its last one. */
export function sumsUpTo(turn: CountedTurn & Pick<Turn, "state" | "updatedAt">): Sums {
  const { seq, messageOffset, state, createdAt, updatedAt } = turn;
  return state === "completed"
    ? { turnCount: seq, messageCount: messageOffset + 2, updatedAt }
    : { turnCount: seq, messageCount: messageOffset + 1, updatedAt: createdAt };
}

/** The conversation with its sums brought up to these. */
export function countedUp(conversation: Conversation, sums: Sums): Conversation {
  return {
    ...conversation,
    turnCount: Math.max(conversation.turnCount, sums.turnCount),
    messageCount: Math.max(conversation.messageCount, sums.messageCount),
    updatedAt: Math.max(conversation.updatedAt, sums.updatedAt),
  };
}

export function isBehind(conversation: Sums, sums: Sums): boolean {
  return (
    conversation.turnCount < sums.turnCount ||
    conversation.messageCount < sums.messageCount ||
    conversation.updatedAt < sums.updatedAt
  );
}
