import type { ToolCall } from "../assistant/step.ts";
import type { StoredMessage, Turn } from "./turn.ts";

/** A message of a conversation as its readers see it. */
export interface TranscriptMessage extends StoredMessage {
  readonly role: "user" | "assistant";
  /** Of the assistant, in the order the model made them. */
  readonly toolCalls: readonly ToolCall[];
}

/** A place in a conversation: part 0 of a turn is the user's message, part 1 the reply. */
export interface MessagePosition {
  readonly seq: number;
  readonly part: 0 | 1;
}

/**
 * At most `limit` messages from `from` on, out of turns that begin with that position's.
 * `next` is absent when no message follows.
 */
export function pageMessages(
  turns: readonly Turn[],
  from: MessagePosition,
  limit: number,
  turnCount: number,
): { messages: TranscriptMessage[]; next?: MessagePosition } {
  const all = turns.flatMap((turn) =>
    turnTranscript(turn).map((message, part) => ({ message, seq: turn.seq, part: part as 0 | 1 })),
  );
  const rest = all.filter(({ seq, part }) => seq > from.seq || part >= from.part);
  const messages = rest.slice(0, limit).map(({ message }) => message);
  const following = rest[limit];
  if (following) return { messages, next: { seq: following.seq, part: following.part } };
  const lastSeq = turns.at(-1)?.seq ?? turnCount;
  return lastSeq < turnCount ? { messages, next: { seq: lastSeq + 1, part: 0 } } : { messages };
}

function turnTranscript(turn: Turn): TranscriptMessage[] {
  const user: TranscriptMessage = { ...turn.user, role: "user", toolCalls: [] };
  if (turn.state !== "completed") return [user];
  const toolCalls = turn.steps.flatMap((step) => step.toolCalls);
  return [user, { ...turn.reply, role: "assistant", toolCalls }];
}
