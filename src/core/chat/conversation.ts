import { AppError } from "../errors.ts";
import type { Id } from "../ids.ts";

/**
 * - `pending`: cut from the first message, until the model has named the subject.
 * - `final`: named by the model, or cut from the message for good.
 */
export type TitleState = "pending" | "final";

export interface Conversation {
  readonly id: Id;
  /** The principal that it belongs to; to all others it does not exist. */
  readonly owner: string;
  readonly title: string;
  readonly titleState: TitleState;
  /** The highest `seq` of its turns. */
  readonly turnCount: number;
  /** User messages and replies. */
  readonly messageCount: number;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  /** When it last gained a message; milliseconds since the Unix epoch. */
  readonly updatedAt: number;
}

/** A conversation that has no turn yet. */
export type NewConversation = Pick<Conversation, "id" | "owner" | "title" | "createdAt">;

/** The same for a conversation that never was and for another owner's. */
export function conversationNotFound(): AppError {
  return new AppError("not_found", "There is no such conversation; ListConversations shows which there are.");
}
