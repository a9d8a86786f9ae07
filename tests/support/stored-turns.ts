import type { Step } from "../../src/core/assistant/step.ts";
import type { ConversationStore } from "../../src/core/chat/conversation-store.ts";
import type { RunningTurn } from "../../src/core/chat/turn.ts";
import { type ChatWorld, DEFAULT_LOCALE } from "./chat-world.ts";

interface Stored {
  readonly conversationId: string;
  readonly content: string;
  readonly leaseMs?: number;
}

/** Begins a turn of Ann's as another process would, and makes its conversation when there is none. */
export async function beginStored(
  { ids, clock }: ChatWorld,
  store: ConversationStore,
  { conversationId, content, leaseMs = 0 }: Stored,
): Promise<RunningTurn> {
  const createdAt = clock.now();
  const begin = await store.beginTurn(
    {
      id: ids.next(),
      conversationId,
      owner: "ann",
      requestHash: "hash",
      userLocale: DEFAULT_LOCALE,
      user: { messageId: ids.next(), content, createdAt },
      createdAt,
      lease: { holder: ids.next(), expiresAt: createdAt + leaseMs },
    },
    { id: conversationId, owner: "ann", title: content, createdAt },
  );
  if (begin.type !== "begun") throw new Error(`begun was expected, not ${begin.type}`);
  return begin.turn;
}

/** Writes these steps, from the first one on. */
export async function saveSteps(
  store: ConversationStore,
  turn: RunningTurn,
  steps: readonly Step[],
): Promise<void> {
  for (const [index, step] of steps.entries()) {
    await store.saveStep(turn, turn.lease.holder, index, step, turn.createdAt);
  }
}

/** Ends the turn with the reply, or as failed without one. */
export async function endStored(
  { ids }: ChatWorld,
  store: ConversationStore,
  turn: RunningTurn,
  content?: string,
): Promise<void> {
  const { createdAt } = turn;
  const error = { code: "internal", message: "x", retryable: false, meta: {} } as const;
  await store.endTurn(
    turn,
    turn.lease.holder,
    content === undefined
      ? { state: "failed", error }
      : { state: "completed", reply: { messageId: ids.next(), content, createdAt } },
    createdAt,
  );
}
