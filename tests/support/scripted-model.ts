import type {
  FinishReason,
  LanguageModel,
  ModelAnswer,
  ModelRequest,
  ModelToolCall,
} from "../../src/core/model/language-model.ts";
import type { ModelEvent } from "./model-events.ts";

/** One answer of the script: its events, or what is thrown, or a function of the request. */
export type ScriptedAnswer =
  | ModelEvent[]
  | Error
  | ((request: ModelRequest, signal: AbortSignal) => AsyncIterable<ModelEvent>);

const USAGE = { inputTokens: 10, outputTokens: 5, cachedInputTokens: 0, reasoningTokens: 0 };

export function says(text: string, reason: FinishReason = "stop"): ModelEvent[] {
  return [
    { type: "text", text },
    { type: "finish", reason, usage: USAGE },
  ];
}

export function calls(...made: Partial<ModelToolCall>[]): ModelEvent[] {
  return [
    ...made.map(
      (call, index): ModelEvent => ({
        type: "tool_call",
        call: { id: `call-${index}`, name: "echo", arguments: "{}", ...call },
      }),
    ),
    { type: "finish", reason: "tool_calls", usage: USAGE },
  ];
}

/** Waits for an abort, as a model that never answers does. */
export async function* hangs(_: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent> {
  await new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

/** Waits for ever, whatever its signal says. */
export function ignoresAborts(): AsyncIterable<ModelEvent> {
  return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) };
}

/** A model that gives the scripted answers in order, and throws when it is asked once more. */
export class ScriptedModel implements LanguageModel {
  readonly provider = "scripted";
  readonly model = "script-1";
  /** The requests for replies, in order. */
  readonly requests: ModelRequest[] = [];
  readonly titleRequests: ModelRequest[] = [];
  #title: ScriptedAnswer = says("A title");
  readonly #answers: ScriptedAnswer[];

  constructor(...answers: ScriptedAnswer[]) {
    this.#answers = answers;
  }

  title(answer: ScriptedAnswer): this {
    this.#title = answer;
    return this;
  }

  add(...answers: ScriptedAnswer[]): void {
    this.#answers.push(...answers);
  }

  /** Answers of the script that nobody asked for. */
  get left(): number {
    return this.#answers.length;
  }

  async generate(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer> {
    const isTitle = request.operation === "title";
    (isTitle ? this.titleRequests : this.requests).push(request);
    const answer = isTitle ? this.#title : this.#answers.shift();
    if (!answer) throw new Error("The script has no answer left");
    if (answer instanceof Error) throw answer;
    let text = "";
    let finish: Extract<ModelEvent, { type: "finish" }> | undefined;
    const toolCalls: ModelToolCall[] = [];
    for await (const event of typeof answer === "function" ? answer(request, signal) : answer) {
      switch (event.type) {
        case "text":
          text += event.text;
          request.onText?.(event.text);
          break;
        case "tool_call":
          toolCalls.push(event.call);
          break;
        case "finish":
          finish = event;
          break;
      }
    }
    if (!finish) throw new Error("The script's answer has no end");
    return { text, toolCalls, finishReason: finish.reason, usage: finish.usage };
  }
}
