import type { FinishReason, ModelMessage, ModelToolCall } from "../model/language-model.ts";
import type { TokenUsage } from "../model/usage.ts";

/** One tool call of a step with its outcome. Without `result` and `error` it is still pending. */
export interface ToolCall extends ModelToolCall {
  /** JSON text. */
  readonly result?: string;
  /** In the words that the model is told. */
  readonly error?: string;
  readonly durationMs?: number;
}

/** One model call of a turn, with the tool calls that it asked for. */
export interface Step {
  readonly provider: string;
  readonly model: string;
  readonly content: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  readonly usage?: TokenUsage;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** Of the model call alone, without its tools, in milliseconds. */
  readonly durationMs: number;
  /** From the call's start to the first piece of the answer, in milliseconds. */
  readonly firstTokenMs?: number;
}

export function isPending(call: ToolCall): boolean {
  return call.result === undefined && call.error === undefined;
}

/** What the model is shown of a step: its own words and calls, then the outcome of each call. */
export function stepMessages(step: Step): ModelMessage[] {
  return [
    {
      role: "assistant",
      content: step.content,
      toolCalls: step.toolCalls.map(({ id, name, arguments: args }) => ({ id, name, arguments: args })),
    },
    ...step.toolCalls.map(
      (call): ModelMessage => ({
        role: "tool",
        toolCallId: call.id,
        toolName: call.name,
        content: call.result ?? call.error ?? "",
        isError: call.result === undefined,
      }),
    ),
  ];
}
