import { type ClientOptions, OpenAI } from "openai";
import { derivedId } from "../../core/ids.ts";
import type { LanguageModel, ModelRequest } from "../../core/model/language-model.ts";
import { modelError } from "../../core/model/model-errors.ts";
import { decode, type WireChunk } from "./decode.ts";
import { encode } from "./encode.ts";
import { toModelError } from "./errors.ts";

export interface OpenAIModelOptions {
  /** For a server that asks for none: any text. */
  readonly apiKey: string;
  /** As the server names it, such as `gpt-5-mini`. */
  readonly model: string;
  /** Of any server with OpenAI's API, such as `http://localhost:11434/v1`. Default: OpenAI's own. */
  readonly baseUrl?: string;
  /** Upper bound of the tokens of one answer. Default: the server's own. */
  readonly maxOutputTokens?: number;
  /** What the SDK sends its requests with. */
  readonly fetch: NonNullable<ClientOptions["fetch"]>;
}

/**
 * How long a server may take to begin its answer, in milliseconds: a model may have to be loaded first.
 * The deadline that counts is the caller's signal, which may be longer or shorter.
 */
const RESPONSE_TIMEOUT_MS = 300_000;

/**
 * A model behind OpenAI's chat completions API: OpenAI itself, Ollama, vLLM, llama.cpp and others.
 *
 * | what the server does                                          | outcome                          |
 * |---------------------------------------------------------------|----------------------------------|
 * | answers in text                                               | text, finish `stop`              |
 * | refuses (`refusal`)                                           | the refusal as text, finish `stop` |
 * | calls tools, whatever its finish_reason but the next two      | calls, finish `tool_calls`       |
 * | finish_reason `length`                                        | text, finish `length`            |
 * | finish_reason `content_filter`                                | text, finish `content_filter`    |
 * | answers with nothing                                          | finish `stop`                    |
 * | disconnects, or ends the stream without a finish_reason       | error `model_interrupted`        |
 * | sends an error or malformed JSON in the stream                | error `model_interrupted`        |
 * | can't be reached, doesn't answer in time                      | error `model_unavailable`        |
 * | is at an address that may not be reached (`OUTBOUND_ALLOW`)   | error `model_rejected`           |
 * | status 5xx                                                    | error `model_unavailable`        |
 * | status 408, 409, 429                                          | error `model_overloaded`         |
 * | status 429 for want of quota or payment                       | error `model_rejected`           |
 * | any other status of failure: 400, 401, 403, 404               | error `model_rejected`           |
 * | answers with something else than a stream, such as a web page | error `model_rejected`           |
 * | (the caller aborts)                                           | the signal's reason is thrown    |
 *
 * Calls that came before `length` or `content_filter` may be cut off and are dropped. Reasoning is no
 * part of the answer and is left out. No error holds the key; an error's `retryAfterMs` is the wait that
 * the server asked for, if it did.
 */
export function createOpenAIModel(options: OpenAIModelOptions): LanguageModel {
  const client = new OpenAI({
    apiKey: options.apiKey,
    baseURL: options.baseUrl ?? null,
    fetch: options.fetch,
    maxRetries: 0,
    timeout: RESPONSE_TIMEOUT_MS,
    // What is not given here, the SDK takes from environment variables or logs to the console.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    logLevel: "off",
  });

  async function* receive(request: ModelRequest, signal: AbortSignal): AsyncGenerator<WireChunk> {
    const body = encode(request, options);
    let contentType = "";
    let received = 0;
    try {
      const { data, response } = await client.chat.completions.create(body, { signal }).withResponse();
      contentType = response.headers.get("content-type") ?? "none";
      for await (const chunk of data) {
        received++;
        request.onProgress?.();
        yield chunk;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw toModelError(error, options.apiKey);
    }
    // The SDK ends an aborted stream as if it were complete.
    signal.throwIfAborted();
    if (received === 0 && !contentType.startsWith("text/event-stream")) {
      const problem = `The answer is not an event stream but ${contentType}. Is the base URL right?`;
      throw modelError("model_rejected", new Error(problem));
    }
  }

  return {
    provider: "openai",
    model: options.model,
    stream(request, signal) {
      const makeId = (position: number) =>
        `call_${derivedId(JSON.stringify(request.messages), String(position))}`;
      return decode(receive(request, signal), makeId);
    },
  };
}
