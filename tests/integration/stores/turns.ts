import type { Step } from "../../../src/core/assistant/step.ts";
import type { NewConversation } from "../../../src/core/chat/conversation.ts";
import type { ConversationStore } from "../../../src/core/chat/conversation-store.ts";
import type { NewTurn, RunningTurn, TurnState } from "../../../src/core/chat/turn.ts";
import { randomIds } from "../../../src/core/ids.ts";
import type { ModelCall } from "../../../src/core/ledger/model-call.ts";

/** To come: sessions that are past by the clock on the wall are removed by their TTL index at any time. */
export const T0 = Date.parse("2100-01-01T09:00:00Z");
export const ids = randomIds(() => T0);

export const step: Step = {
  provider: "p",
  model: "m",
  content: "Let me look",
  toolCalls: [{ id: "a", name: "get_weather", arguments: "{}", result: '{"t":20}', durationMs: 12 }],
  finishReason: "tool_calls",
  startedAt: T0 + 5,
  durationMs: 40,
};

type Outcome<State> = Extract<TurnState, { state: State }>;

export function completed(): Outcome<"completed"> {
  return {
    state: "completed",
    reply: { messageId: ids.next(), content: "It is 20 °C.", createdAt: T0 + 60 },
  };
}

export const failed: Outcome<"failed"> = {
  state: "failed",
  error: { code: "unavailable", message: "Later", retryable: true, meta: {} },
};

export function newConversation(): NewConversation {
  return { id: ids.next(), owner: "ann", title: "Weather", createdAt: T0 };
}

export function newTurn(conversationId: string, changes: Partial<NewTurn> = {}): NewTurn {
  return {
    id: ids.next(),
    conversationId,
    owner: "ann",
    requestHash: "hash",
    userLocale: { timezone: "Europe/Madrid", locale: "en-GB" },
    user: { messageId: ids.next(), content: "Weather in Lisbon?", createdAt: T0 },
    createdAt: T0,
    lease: { holder: ids.next(), expiresAt: T0 + 10_000 },
    ...changes,
  };
}

/** A call that is about to be made. */
export function newCall(changes: Partial<ModelCall> = {}): ModelCall {
  return {
    id: ids.next(),
    operation: "reply",
    provider: "p",
    model: "m",
    startedAt: T0,
    status: "open",
    ...changes,
  };
}

/** Begins a turn: in a new conversation, or after the last turn of the one that it names. */
export async function begin(store: ConversationStore, changes: Partial<NewTurn> = {}): Promise<RunningTurn> {
  const conversation = newConversation();
  const outcome = changes.conversationId
    ? await store.beginTurn(newTurn(changes.conversationId, changes))
    : await store.beginTurn(newTurn(conversation.id, changes), conversation);
  if (outcome.type !== "begun") throw new Error(`begun was expected, not ${outcome.type}`);
  return outcome.turn;
}
