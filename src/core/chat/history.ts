import { stepMessages } from "../assistant/step.ts";
import type { ModelMessage } from "../model/language-model.ts";
import type { ConversationStore } from "./conversation-store.ts";
import type { Turn, TurnRef } from "./turn.ts";

const TURNS_PER_READ = 32;

/**
 * What was said before `ref`, oldest first, for the model: whole turns from the newest back, as many
 * as fit into `tokenBudget` (estimated, see {@link estimateTokens}). A turn that did not complete
 * gives its user message and nothing half-done.
 */
export async function loadHistory(
  store: ConversationStore,
  ref: TurnRef,
  tokenBudget: number,
): Promise<ModelMessage[]> {
  const newestFirst: ModelMessage[][] = [];
  let left = tokenBudget;
  for (let toSeq = ref.seq - 1; toSeq >= 1; toSeq -= TURNS_PER_READ) {
    const fromSeq = Math.max(1, toSeq - TURNS_PER_READ + 1);
    const turns = await store.listTurns(ref.conversationId, fromSeq, toSeq);
    for (const turn of turns.reverse()) {
      const messages = turnMessages(turn);
      left -= messages.reduce((sum, message) => sum + estimateTokens(message), 0);
      if (left < 0) return newestFirst.reverse().flat();
      newestFirst.push(messages);
    }
  }
  return newestFirst.reverse().flat();
}

function turnMessages(turn: Turn): ModelMessage[] {
  const user: ModelMessage = { role: "user", content: turn.user.content };
  return turn.state === "completed" ? [user, ...turn.steps.flatMap(stepMessages)] : [user];
}

/**
 * A token for every four bytes of UTF-8, and four for a message's frame: near enough for a budget
 * in all of the usual tokenisers, for any script.
 */
export function estimateTokens(message: ModelMessage): number {
  let bytes = Buffer.byteLength(message.content);
  if (message.role === "assistant") {
    for (const call of message.toolCalls) bytes += Buffer.byteLength(call.name + call.arguments);
  }
  return Math.ceil(bytes / 4) + 4;
}
