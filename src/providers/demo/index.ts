import type {
  LanguageModel,
  ModelAnswer,
  ModelMessage,
  ModelRequest,
  ModelToolCall,
} from "../../core/model/language-model.ts";
import type { TokenUsage } from "../../core/model/usage.ts";
import { answer } from "./answer/index.ts";
import { type Conversation, readConversation } from "./conversation.ts";
import { isTask } from "./intent.ts";
import { type Call, callsFor, doneCall } from "./plan.ts";
import { titleOf } from "./title.ts";

/** Words in one part of the text. */
const WORDS_PER_PART = 4;

/**
 * The model that Parley has without an API key: offline and deterministic, it answers by patterns
 * and says so. It understands plain English about weather, holidays, dates and times, asks for the
 * tools get_weather, get_holidays, get_datetime and date_math as far as they are offered, and words
 * the answer from their results. It reads `Current date: YYYY-MM-DD` and `Time zone: <IANA>` in
 * the system prompt. Its token usage is an estimate: one for each word or other character.
 */
export function createDemoModel(): LanguageModel {
  return {
    provider: "demo",
    model: "demo",
    async generate(request, signal) {
      signal.throwIfAborted();
      const answer = respond(request);
      for (const part of partsOf(answer.text)) {
        request.onText?.(part);
        signal.throwIfAborted();
      }
      return answer;
    },
  };
}

function respond(request: ModelRequest): ModelAnswer {
  const { messages, operation, tools, locale } = request;
  if (operation === "title") {
    const asked = messages.findLast(({ role }) => role === "user")?.content ?? "";
    return textAnswer(titleOf(asked), messages);
  }
  const conversation = readConversation(request);
  const offered = new Set(tools.map(({ name }) => name));
  const calls = missingCalls(conversation).filter(({ name }) => offered.has(name));
  return calls.length > 0 ? callAnswer(calls, messages) : textAnswer(answer(conversation, locale), messages);
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

function callAnswer(calls: readonly Call[], messages: readonly ModelMessage[]): ModelAnswer {
  const made = messages.reduce(
    (sum, message) => sum + (message.role === "assistant" ? message.toolCalls.length : 0),
    0,
  );
  const toolCalls = calls.map(
    ({ name, arguments: args }, index): ModelToolCall => ({
      id: `demo-${made + index + 1}`,
      name,
      arguments: JSON.stringify(args),
    }),
  );
  const usage = estimateUsage(messages, JSON.stringify(calls));
  return { text: "", toolCalls, finishReason: "tool_calls", usage };
}

function textAnswer(text: string, messages: readonly ModelMessage[]): ModelAnswer {
  return { text, toolCalls: [], finishReason: "stop", usage: estimateUsage(messages, text) };
}

/** A few words each. */
function partsOf(text: string): readonly string[] {
  if (text === "") return [];
  const words = text.split(/(?<=\s)(?=\S)/);
  return Array.from({ length: Math.ceil(words.length / WORDS_PER_PART) }, (_, index) =>
    words.slice(index * WORDS_PER_PART, (index + 1) * WORDS_PER_PART).join(""),
  );
}

function estimateUsage(messages: readonly ModelMessage[], output: string): TokenUsage {
  return {
    inputTokens: messages.reduce((sum, { content }) => sum + estimateTokens(content), 0),
    outputTokens: estimateTokens(output),
    cachedInputTokens: 0,
    reasoningTokens: 0,
  };
}

function estimateTokens(text: string): number {
  return text.match(/[\p{L}\p{N}\p{M}]+|\S/gu)?.length ?? 0;
}
