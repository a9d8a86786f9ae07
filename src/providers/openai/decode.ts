import type { ModelAnswer, ModelToolCall } from "../../core/model/language-model.ts";
import { modelError } from "../../core/model/model-errors.ts";
import { MAX_TOKENS, type TokenUsage } from "../../core/model/usage.ts";
import { isJsonObject } from "./json.ts";

/** What servers really send of OpenAI's `chat.completion.chunk`: any field may be missing or null. */
export interface WireChunk {
  readonly choices?: readonly WireChoice[] | null;
  readonly usage?: WireUsage | null;
}

interface WireChoice {
  readonly delta?: WireDelta | null;
  readonly finish_reason?: string | null;
}

interface WireDelta {
  /** A list of parts in some servers' reasoning models: not read. */
  readonly content?: string | readonly unknown[] | null;
  readonly refusal?: string | null;
  readonly tool_calls?: readonly WireToolCall[] | null;
  /** The name of `tool_calls` before there could be several. */
  readonly function_call?: WireFunction | null;
}

interface WireToolCall {
  readonly index?: number | null;
  readonly id?: string | null;
  readonly function?: WireFunction | null;
}

interface WireFunction {
  readonly name?: string | null;
  /** JSON text, in fragments; some servers send the object itself. */
  readonly arguments?: string | object | null;
}

interface WireUsage {
  readonly prompt_tokens?: number | null;
  readonly completion_tokens?: number | null;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number | null } | null;
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number | null } | null;
}

export interface AnswerReaderOptions {
  /** Is given the text as it comes. */
  readonly onText?: (part: string) => void;
  /** Gives the id of the call at a position of this answer, for servers that send none. */
  readonly makeId: (position: number) => string;
}

/** Puts an answer together from the chunks of its stream. */
export class AnswerReader {
  readonly #options: AnswerReaderOptions;
  readonly #toolCalls = new ToolCallAssembler();
  #hasBegun = false;
  #text = "";
  #finishReason = "";
  #usage: TokenUsage | undefined;

  constructor(options: AnswerReaderOptions) {
    this.#options = options;
  }

  /** Whether there was a chunk at all. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  read(chunk: WireChunk | null): void {
    this.#hasBegun = true;
    this.#usage = decodeUsage(chunk?.usage) ?? this.#usage;
    const choice = chunk?.choices?.[0];
    this.#finishReason = choice?.finish_reason || this.#finishReason;
    const delta = choice?.delta;
    if (!delta) return;
    this.#addText(delta.content);
    this.#addText(delta.refusal);
    for (const call of delta.tool_calls ?? []) this.#toolCalls.add(call);
    if (delta.function_call) this.#toolCalls.add({ index: 0, function: delta.function_call });
  }

  /**
   * To be called after the last chunk.
   *
   * @throws AppError `model_interrupted` when the chunks ended before the answer did.
   */
  end(): ModelAnswer {
    const reason = this.#finishReason;
    if (reason === "" || reason === "error") {
      throw modelError("model_interrupted", new Error("The stream ended before the model had finished."));
    }
    const cutOff = reason === "length" || reason === "content_filter" ? reason : undefined;
    // A cut may have hit the last call anywhere.
    const toolCalls = cutOff ? [] : this.#toolCalls.finish(this.#options.makeId);
    return {
      text: this.#text,
      toolCalls,
      // Many servers say "stop" with tool calls, and some have reasons of their own, such as "eos".
      finishReason: cutOff ?? (toolCalls.length > 0 ? "tool_calls" : "stop"),
      ...(this.#usage && { usage: this.#usage }),
    };
  }

  #addText(text: unknown): void {
    if (typeof text !== "string" || text === "") return;
    this.#text += text;
    this.#options.onText?.(text);
  }
}

function decodeUsage(usage: WireUsage | null | undefined): TokenUsage | undefined {
  const inputTokens = count(usage?.prompt_tokens);
  const outputTokens = count(usage?.completion_tokens);
  if (inputTokens === undefined || outputTokens === undefined) return undefined;
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: count(usage?.prompt_tokens_details?.cached_tokens),
    reasoningTokens: count(usage?.completion_tokens_details?.reasoning_tokens),
  };
}

/** A number of tokens, if it can be one. */
function count(value: number | null | undefined): number | undefined {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_TOKENS
    ? Number(value)
    : undefined;
}

interface OpenCall {
  id: string;
  name: string;
  arguments: string;
}

/**
 * Puts tool calls together from their fragments. OpenAI sends id and name with a call's first
 * fragment and its index with each. Other servers send calls whole, all with index 0 or without
 * one, repeat the name, or leave out the id.
 */
class ToolCallAssembler {
  private readonly calls: OpenCall[] = [];
  private readonly latestByIndex = new Map<number, OpenCall>();

  add({ index, id, function: fn }: WireToolCall): void {
    const fragment: OpenCall = {
      id: id ?? "",
      name: fn?.name ?? "",
      arguments:
        typeof fn?.arguments === "object" ? JSON.stringify(fn.arguments ?? "") : (fn?.arguments ?? ""),
    };
    const open = typeof index === "number" ? this.latestByIndex.get(index) : this.calls.at(-1);
    if (open && !startsAnother(fragment, open)) {
      open.id ||= fragment.id;
      open.name ||= fragment.name;
      open.arguments += fragment.arguments;
      return;
    }
    this.calls.push(fragment);
    if (typeof index === "number") this.latestByIndex.set(index, fragment);
  }

  /** The calls in the order the model made them, each with an id of its own. */
  finish(makeId: (position: number) => string): ModelToolCall[] {
    const ids = new Set<string>();
    return this.calls.map(({ id, name, arguments: args }, position) => {
      const uniqueId = id === "" || ids.has(id) ? makeId(position) : id;
      ids.add(uniqueId);
      // Several servers send nothing for a call without arguments.
      return { id: uniqueId, name, arguments: args.trim() === "" ? "{}" : args };
    });
  }
}

/** Whether a fragment begins a new call although it has the index of an open one. */
function startsAnother(fragment: OpenCall, open: OpenCall): boolean {
  if (fragment.name === "" || open.name === "") return false;
  if (fragment.name !== open.name) return true;
  if (fragment.id !== "" && open.id !== "" && fragment.id !== open.id) return true;
  return fragment.arguments !== "" && isJsonObject(open.arguments);
}
