import type { CallRecorder } from "./call-recorder.ts";
import type { TokenUsage } from "./usage.ts";

/**
 * A language model: the port that every provider implements. Implementations do not retry, and
 * throw an {@link AppError} (codes: see model-errors.ts) when no complete answer can be had.
 */
export interface LanguageModel {
  /** Such as `openai` or `demo`. */
  readonly provider: string;
  /** As the provider names it, such as `gpt-5-mini`. */
  readonly model: string;
  /**
   * Asks once. An abort of `signal` ends the call, down to the socket, with the signal's reason.
   */
  generate(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer>;
}

export interface ModelRequest {
  /** What the call is for; providers may not answer differently, but meters tell them apart. */
  readonly operation: ModelOperation;
  readonly messages: readonly ModelMessage[];
  /** Tools that the model may call; empty means that it must answer in text. */
  readonly tools: readonly ToolDefinition[];
  /** The user's, for a model that words dates and units itself. */
  readonly locale: string;
  /** Takes down the calls that are made for this request. */
  readonly calls?: CallRecorder;
  /**
   * Is given the answer's text as it arrives, part by part. Nobody has the model wait: an answer is bounded.
   * An AppError that it throws ends the call, and is thrown.
   */
  readonly onText?: (part: string) => void;
  /**
   * Called at each sign of life while the answer is in the making. There may be many before the first
   * text: a model that reasons, or writes the arguments of a tool, sends nothing that can be passed on.
   */
  readonly onProgress?: () => void;
}

export const MODEL_OPERATIONS = ["reply", "title"] as const;
export type ModelOperation = (typeof MODEL_OPERATIONS)[number];

export type ModelMessage =
  | { readonly role: "system"; readonly content: string }
  | { readonly role: "user"; readonly content: string }
  | {
      readonly role: "assistant";
      readonly content: string;
      readonly toolCalls: readonly ModelToolCall[];
    }
  /** The outcome of one tool call; follows the assistant message that asked for it. */
  | {
      readonly role: "tool";
      readonly toolCallId: string;
      readonly toolName: string;
      /** JSON text of the result, or the error's text. */
      readonly content: string;
      readonly isError: boolean;
    };

export interface ModelToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text as the model wrote it: it may be malformed. */
  readonly arguments: string;
}

export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON Schema (draft 2020-12) of the arguments, an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A whole answer. */
export interface ModelAnswer {
  readonly text: string;
  /** In the order the model made them. */
  readonly toolCalls: readonly ModelToolCall[];
  readonly finishReason: FinishReason;
  /** Absent when the provider does not say. */
  readonly usage?: TokenUsage;
}

/**
 * - `stop`: the answer is complete (a refusal in words is a complete answer).
 * - `tool_calls`: the model waits for the results of its calls.
 * - `length`: cut off at a token limit.
 * - `content_filter`: withheld or cut off by the provider's filter.
 */
export type FinishReason = "stop" | "tool_calls" | "length" | "content_filter";
