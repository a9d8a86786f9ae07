import type {
  FinishReason,
  LanguageModel,
  ModelAnswer,
  ModelRequest,
  ModelToolCall,
} from "../../src/core/model/language-model.ts";
import type { TokenUsage } from "../../src/core/model/usage.ts";

/** What there is to see of an answer, in order: each part of its text, its calls, and its end. */
export type ModelEvent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_call"; readonly call: ModelToolCall }
  | { readonly type: "finish"; readonly reason: FinishReason; readonly usage?: TokenUsage };

/** Asks the model, and tells what it answers. */
export async function eventsOf(
  model: Pick<LanguageModel, "generate">,
  request: ModelRequest,
  signal = new AbortController().signal,
): Promise<ModelEvent[]> {
  return recorded((onText) => model.generate({ ...request, onText }, signal));
}

export async function recorded(
  ask: (onText: (part: string) => void) => ModelAnswer | Promise<ModelAnswer>,
): Promise<ModelEvent[]> {
  const events: ModelEvent[] = [];
  const { text, toolCalls, finishReason, usage } = await ask((part) => {
    events.push({ type: "text", text: part });
  });
  if (textOf(events) !== text) throw new Error("The parts of the text are not the text");
  for (const call of toolCalls) events.push({ type: "tool_call", call });
  events.push({ type: "finish", reason: finishReason, ...(usage && { usage }) });
  return events;
}

export function textOf(events: readonly ModelEvent[]): string {
  return events.map((event) => (event.type === "text" ? event.text : "")).join("");
}

export function callsOf(events: readonly ModelEvent[]): readonly ModelToolCall[] {
  return events.flatMap((event) => (event.type === "tool_call" ? [event.call] : []));
}
