import type {
  LanguageModel,
  ModelEvent,
  ModelMessage,
  ModelRequest,
} from "../../core/model/language-model.ts";
import { answer } from "./answer/index.ts";
import { type Conversation, readConversation } from "./conversation.ts";
import { isTask } from "./intent.ts";
import { type Call, callsFor, doneCall } from "./plan.ts";
import { titleOf } from "./title.ts";

/** Words in one text event. */
const WORDS_PER_PIECE = 4;

/**
 * The model that Parley has without an API key: offline and deterministic, it answers by patterns
 * and says so. It understands plain English about weather, holidays, dates and times, asks for the
 * tools get_weather, get_holidays, get_datetime and date_math as far as they are offered, and words
 * the answer from their results. It reads `Current date: YYYY-MM-DD` and `Time zone: <IANA>` in
 * the system prompt. Its token usage is an estimate: one for each word or other character.
 */
export function createDemoModel(): LanguageModel {
  return { provider: "demo", model: "demo", stream };
}

async function* stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent, void, void> {
  signal.throwIfAborted();
  for (const event of respond(request)) {
    signal.throwIfAborted();
    yield event;
  }
}

function respond(request: ModelRequest): readonly ModelEvent[] {
  const { messages, operation, tools, locale } = request;
  if (operation === "title") {
    const asked = messages.findLast(({ role }) => role === "user")?.content ?? "";
    return textEvents(titleOf(asked), messages);
  }
  const conversation = readConversation(request);
  const offered = new Set(tools.map(({ name }) => name));
  const calls = missingCalls(conversation).filter(({ name }) => offered.has(name));
  return calls.length > 0 ? callEvents(calls, messages) : textEvents(answer(conversation, locale), messages);
}

/** The calls that the questions need and that have not been made for them yet, each once. */
function missingCalls(conversation: Conversation): readonly Call[] {
  const tasks = conversation.intents.filter(isTask);
  const { today, calls } = conversation;
  const wanted: readonly Call[] =
    today !== undefined
      ? tasks.flatMap((task) => callsFor(task, { ...conversation, today }))
      : tasks.length > 0
        ? [{ name: "get_datetime", arguments: {} }]
        : [];
  const missing = wanted.filter((call) => doneCall(call, calls) === undefined);
  return [...new Map(missing.map((call) => [JSON.stringify(call), call])).values()];
}

function callEvents(calls: readonly Call[], messages: readonly ModelMessage[]): readonly ModelEvent[] {
  const made = messages.reduce(
    (sum, message) => sum + (message.role === "assistant" ? message.toolCalls.length : 0),
    0,
  );
  const events = calls.map(
    ({ name, arguments: args }, index): ModelEvent => ({
      type: "tool_call",
      call: { id: `demo-${made + index + 1}`, name, arguments: JSON.stringify(args) },
    }),
  );
  return [...events, finish("tool_calls", messages, JSON.stringify(calls))];
}

function textEvents(text: string, messages: readonly ModelMessage[]): readonly ModelEvent[] {
  const words = text.split(/(?<=\s)(?=\S)/);
  const pieces = Array.from({ length: Math.ceil(words.length / WORDS_PER_PIECE) }, (_, index) =>
    words.slice(index * WORDS_PER_PIECE, (index + 1) * WORDS_PER_PIECE).join(""),
  );
  return [
    ...pieces.map((piece): ModelEvent => ({ type: "text_delta", text: piece })),
    finish("stop", messages, text),
  ];
}

function finish(
  reason: "stop" | "tool_calls",
  messages: readonly ModelMessage[],
  output: string,
): ModelEvent {
  return {
    type: "finish",
    reason,
    usage: {
      inputTokens: messages.reduce((sum, { content }) => sum + estimateTokens(content), 0),
      outputTokens: estimateTokens(output),
      cachedInputTokens: 0,
      reasoningTokens: 0,
    },
  };
}

function estimateTokens(text: string): number {
  return text.match(/[\p{L}\p{N}\p{M}]+|\S/gu)?.length ?? 0;
}
