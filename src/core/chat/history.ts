import { type Step, stepMessages } from "../assistant/step.ts";
import type { Id } from "../ids.ts";
import type { ModelMessage } from "../model/language-model.ts";
import type { ConversationStore } from "./conversation-store.ts";
import type { Turn, TurnBase, TurnRef } from "./turn.ts";

const TURNS_PER_READ = 32;
/** Of UTF-8. */
const BYTES_PER_TOKEN = 4;
/** Of all conversations together, in bytes. */
const MAX_KEPT = 8 * 1_048_576;
/** Of a turn in memory, in bytes, beside its text. */
const TURN_FRAME = 1_000;

/**
 * What was said before a turn, for the model: whole turns from the newest back, as many as fit into a
 * budget of tokens. A turn that did not complete gives its user message and nothing half-done.
 *
 * The conversations used last are kept in memory. What comes before a turn can't change any more, whatever
 * other processes do: a failed turn is run again only while it is its conversation's last one.
 */
export class History {
  readonly #store: Pick<ConversationStore, "listTurns">;
  readonly #tokenBudget: number;
  readonly #maxKept: number;
  /** In the order of their last use, oldest first: a map keeps the order of insertion. */
  readonly #kept = new Map<Id, RecentTurns>();
  #keptBytes = 0;

  /**
   * @param tokenBudget of one conversation, estimated: see {@link estimateTokens}.
   * @param maxKept of all conversations in memory, in bytes.
   */
  constructor(store: Pick<ConversationStore, "listTurns">, tokenBudget: number, maxKept = MAX_KEPT) {
    this.#store = store;
    this.#tokenBudget = tokenBudget;
    this.#maxKept = maxKept;
  }

  /** Oldest first. */
  async before(ref: TurnRef): Promise<readonly ModelMessage[]> {
    const kept = this.#take(ref.conversationId);
    const recent = kept?.lastSeq === ref.seq - 1 ? kept : await this.#read(ref);
    this.#keep(ref.conversationId, recent);
    return recent.messages;
  }

  /** A turn has completed with these steps: the next one of its conversation need not read it. */
  add(turn: TurnBase, steps: readonly Step[]): void {
    const recent = this.#take(turn.conversationId);
    if (recent?.lastSeq !== turn.seq - 1) return;
    recent.push(completedMessages(turn, steps));
    this.#keep(turn.conversationId, recent);
  }

  async #read({ conversationId, seq }: TurnRef): Promise<RecentTurns> {
    const newestFirst: ModelMessage[][] = [];
    let left = this.#tokenBudget;
    for (let toSeq = seq - 1; toSeq >= 1 && left >= 0; toSeq -= TURNS_PER_READ) {
      const fromSeq = Math.max(1, toSeq - TURNS_PER_READ + 1);
      for (const turn of (await this.#store.listTurns(conversationId, fromSeq, toSeq)).reverse()) {
        const messages = turnMessages(turn);
        left -= tokensOf(messages);
        if (left < 0) break;
        newestFirst.push(messages);
      }
    }
    const recent = new RecentTurns(this.#tokenBudget, seq - 1 - newestFirst.length);
    for (const messages of newestFirst.reverse()) recent.push(messages);
    return recent;
  }

  #take(conversationId: Id): RecentTurns | undefined {
    const recent = this.#kept.get(conversationId);
    if (!recent) return undefined;
    this.#kept.delete(conversationId);
    this.#keptBytes -= recent.bytes;
    return recent;
  }

  #keep(conversationId: Id, recent: RecentTurns): void {
    // Of a turn that was taken over in this very process two runs may have read.
    this.#take(conversationId);
    this.#kept.set(conversationId, recent);
    this.#keptBytes += recent.bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= this.#maxKept) return;
      this.#take(oldest);
    }
  }
}

/** The newest turns of one conversation: as many as fit into the budget. */
class RecentTurns {
  readonly #tokenBudget: number;
  readonly #turns: { readonly messages: readonly ModelMessage[]; readonly tokens: number }[] = [];
  #tokens = 0;
  #lastSeq: number;

  /** @param lastSeq of what comes before the first turn that will be pushed. */
  constructor(tokenBudget: number, lastSeq: number) {
    this.#tokenBudget = tokenBudget;
    this.#lastSeq = lastSeq;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get bytes(): number {
    return this.#tokens * BYTES_PER_TOKEN + (this.#turns.length + 1) * TURN_FRAME;
  }

  get messages(): readonly ModelMessage[] {
    return this.#turns.flatMap(({ messages }) => messages);
  }

  /** Adds the next turn. */
  push(messages: readonly ModelMessage[]): void {
    const tokens = tokensOf(messages);
    this.#turns.push({ messages, tokens });
    this.#tokens += tokens;
    this.#lastSeq++;
    while (this.#tokens > this.#tokenBudget) this.#tokens -= this.#turns.shift()?.tokens ?? 0;
  }
}

function turnMessages(turn: Turn): ModelMessage[] {
  return turn.state === "completed" ? completedMessages(turn, turn.steps) : [userMessage(turn)];
}

function completedMessages(turn: TurnBase, steps: readonly Step[]): ModelMessage[] {
  return [userMessage(turn), ...steps.flatMap(stepMessages)];
}

function userMessage({ user }: TurnBase): ModelMessage {
  return { role: "user", content: user.content };
}

function tokensOf(messages: readonly ModelMessage[]): number {
  return messages.reduce((sum, message) => sum + estimateTokens(message), 0);
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
  return Math.ceil(bytes / BYTES_PER_TOKEN) + 4;
}
