import type { ToolCall } from "../assistant/step.ts";
import type { Conversation } from "./conversation.ts";
import type { ConversationStore } from "./conversation-store.ts";
import type { StoredMessage, Turn } from "./turn.ts";

/** Turns of one read. */
const TURNS_PER_READ = 64;
/** A page ends with the message that reaches this, so that long ones can be held in memory. */
const MAX_PAGE_CHARS = 4_000_000;

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

/** At most `limit` messages from `from` on; fewer when they are long. `next` is absent when no message follows. */
export async function readPage(
  store: Pick<ConversationStore, "listTurns">,
  { id, turnCount }: Conversation,
  from: MessagePosition,
  limit: number,
): Promise<{ messages: TranscriptMessage[]; next?: MessagePosition }> {
  const messages: TranscriptMessage[] = [];
  let chars = 0;
  for (let seq = from.seq; seq <= turnCount; seq += TURNS_PER_READ) {
    const turns = await store.listTurns(id, seq, seq + TURNS_PER_READ - 1);
    const all = turns.flatMap((turn) =>
      turnTranscript(turn).map((message, part) => ({ message, seq: turn.seq, part: part as 0 | 1 })),
    );
    for (const { message, ...position } of all) {
      if (position.seq === from.seq && position.part < from.part) continue;
      if (messages.length === limit || chars >= MAX_PAGE_CHARS) return { messages, next: position };
      messages.push(message);
      chars += lengthOf(message);
    }
  }
  return { messages };
}

function lengthOf({ content, toolCalls }: TranscriptMessage): number {
  const results = toolCalls.map(({ arguments: given, result = "" }) => given.length + result.length);
  return results.reduce((sum, chars) => sum + chars, content.length);
}

function turnTranscript(turn: Turn): TranscriptMessage[] {
  const user: TranscriptMessage = { ...turn.user, role: "user", toolCalls: [] };
  if (turn.state !== "completed") return [user];
  const toolCalls = turn.steps.flatMap((step) => step.toolCalls);
  return [user, { ...turn.reply, role: "assistant", toolCalls }];
}
