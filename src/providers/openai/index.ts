import { AppError } from "../../core/errors.ts";
import { derivedId } from "../../core/ids.ts";
import type { LanguageModel, ModelAnswer, ModelRequest } from "../../core/model/language-model.ts";
import { modelError } from "../../core/model/model-errors.ts";
import { beginningOf } from "../../net/body-text.ts";
import type { StreamedResponse, StreamingClient } from "../../net/http-client.ts";
import { readEvents } from "../../net/server-sent-events.ts";
import { AnswerReader, type WireChunk } from "./decode.ts";
import { encode } from "./encode.ts";
import { BadStream, brokenOff, failed, unanswered } from "./errors.ts";

export interface OpenAIModelOptions {
  /** Sent as a bearer token; a server that wants no key takes any text. */
  readonly apiKey: string;
  /** As the server names it, such as `gpt-5-mini`. */
  readonly model: string;
  /** Of any server with OpenAI's API, such as `http://localhost:11434/v1`. Default: OpenAI's own. */
  readonly baseUrl?: string;
  /** Upper bound of the tokens of one answer. Default: the server's own. */
  readonly maxOutputTokens?: number;
  readonly http: StreamingClient;
}

const OPENAI_BASE_URL = "https://api.openai.com/v1";
/** Of an error's body: enough for any error in JSON. */
const MAX_ERROR_LENGTH = 65_536;

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
  const { apiKey, http } = options;
  const url = endpoint(options.baseUrl ?? OPENAI_BASE_URL);
  const headers = {
    "content-type": "application/json",
    accept: "application/json",
    authorization: `Bearer ${apiKey}`,
  };

  /** @throws AppError, or the signal's reason, unless the status is one of success. */
  async function ask(request: ModelRequest, signal: AbortSignal): Promise<StreamedResponse> {
    const body = encode(request, options);
    let response: StreamedResponse;
    try {
      response = await http.post(url, { headers, body, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw unanswered(error, apiKey);
    }
    if (response.status >= 200 && response.status < 300) return response;
    const text = await beginningOf(response.body, MAX_ERROR_LENGTH);
    signal.throwIfAborted();
    throw failed(response, text, apiKey);
  }

  async function receive(response: StreamedResponse, request: ModelRequest): Promise<ModelAnswer> {
    const makeId = (position: number) =>
      `call_${derivedId(JSON.stringify(request.messages), String(position))}`;
    const answer = new AnswerReader({ onText: request.onText, makeId });
    await readEvents(response.body, ({ event, data }) => {
      if (data === "[DONE]") {
        response.dump();
        return false;
      }
      const chunk = parseChunk(data);
      if (event === "error" || chunk?.error) throw BadStream.withError(chunk?.error ?? chunk);
      request.onProgress?.();
      answer.read(chunk);
      return true;
    });
    const contentType = response.headers["content-type"] ?? "none";
    if (!answer.hasBegun && !contentType.startsWith("text/event-stream")) {
      const problem = `The answer is not an event stream but ${contentType}. Is the base URL right?`;
      throw modelError("model_rejected", new Error(problem));
    }
    return answer.end();
  }

  return {
    provider: "openai",
    model: options.model,
    async generate(request, signal) {
      const response = await ask(request, signal);
      try {
        return await receive(response, request);
      } catch (error) {
        signal.throwIfAborted();
        // Ours, or of whoever takes the text.
        if (error instanceof AppError) throw error;
        throw brokenOff(error, apiKey);
      }
    },
  };
}

function endpoint(baseUrl: string): URL {
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/chat/completions`;
  url.hash = "";
  return url;
}

function parseChunk(data: string): (WireChunk & { readonly error?: unknown }) | null {
  try {
    return JSON.parse(data);
  } catch {
    // The parser's own message holds a part of the answer, which is not for the log.
    throw new BadStream("The stream has an event that is not JSON.");
  }
}
