import type { OpenAI } from "openai";
import { derivedId } from "../../core/ids.ts";
import type {
  ModelMessage,
  ModelRequest,
  ModelToolCall,
  ToolDefinition,
} from "../../core/model/language-model.ts";
import { isJsonObject } from "./json.ts";

export interface EncodeOptions {
  readonly model: string;
  /** Absent: OpenAI's own. */
  readonly baseUrl?: string;
  /** Upper bound of the tokens of one answer; absent: the server's own. */
  readonly maxOutputTokens?: number;
}

/**
 * The JSON text of a request to POST /chat/completions.
 *
 * Whatever a model once wrote comes back in the history, and a server that rejects it would reject
 * every later message of that conversation. So names, ids, arguments and text are sent in a form
 * that all servers take.
 */
export function encode(
  { messages, tools }: ModelRequest,
  { model, baseUrl, maxOutputTokens }: EncodeOptions,
): string {
  const request: OpenAI.ChatCompletionCreateParamsStreaming = {
    model,
    messages: messages.map(encodeMessage),
    stream: true,
    stream_options: { include_usage: true },
    ...(maxOutputTokens !== undefined && { [maxTokensField(baseUrl)]: maxOutputTokens }),
  };
  const text = JSON.stringify(request);
  // Some servers reject an empty list.
  return tools.length === 0 ? text : `${text.slice(0, -1)},"tools":${encodeTools(tools)}}`;
}

const encodedTools = new WeakMap<readonly ToolDefinition[], string>();

/** Most of a request's text, and the same in all of them: made once. */
function encodeTools(tools: readonly ToolDefinition[]): string {
  const text = encodedTools.get(tools) ?? JSON.stringify(tools.map(encodeTool));
  encodedTools.set(tools, text);
  return text;
}

/** OpenAI's newer models take only the new name of the limit, most other servers only the old one. */
function maxTokensField(baseUrl: string | undefined): "max_completion_tokens" | "max_tokens" {
  const host = baseUrl === undefined ? "api.openai.com" : new URL(baseUrl).hostname;
  return /(^|\.)openai(\.azure)?\.com$/.test(host) ? "max_completion_tokens" : "max_tokens";
}

function encodeMessage(message: ModelMessage): OpenAI.ChatCompletionMessageParam {
  // Half of a surrogate pair is no Unicode text: strict JSON parsers reject the whole request.
  const content = message.content.toWellFormed();
  switch (message.role) {
    case "system":
    case "user":
      return { role: message.role, content };
    case "assistant":
      if (message.toolCalls.length === 0) return { role: "assistant", content };
      return {
        role: "assistant",
        content: content === "" ? null : content,
        tool_calls: message.toolCalls.map(encodeToolCall),
      };
    case "tool":
      return {
        role: "tool",
        tool_call_id: encodeId(message.toolCallId),
        content: message.isError ? `Error: ${content}` : content,
      };
  }
}

function encodeToolCall(call: ModelToolCall): OpenAI.ChatCompletionMessageFunctionToolCall {
  return {
    id: encodeId(call.id),
    type: "function",
    function: {
      name: encodeName(call.name),
      arguments: isJsonObject(call.arguments) ? call.arguments.toWellFormed() : "{}",
    },
  };
}

/** OpenAI takes ids of up to 40 characters; vLLM's are longer. */
function encodeId(id: string): string {
  return id.length <= 40 ? id : derivedId(id);
}

/** OpenAI takes `^[a-zA-Z0-9_-]{1,64}$`; a model may ask for a tool of any name. */
function encodeName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64) || "_";
}

function encodeTool({ name, description, parameters }: ToolDefinition): OpenAI.ChatCompletionFunctionTool {
  // Some servers take `$schema` for an unknown property of the arguments.
  const { $schema, ...schema } = parameters;
  return { type: "function", function: { name, description, parameters: schema } };
}
