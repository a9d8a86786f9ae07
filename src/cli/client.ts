import { setTimeout as sleep } from "node:timers/promises";
import { TwirpError, TwirpErrorCode } from "twirp-ts";
import { type ChatServiceClient, ChatServiceClientJSON } from "../gen/acai/chat/chat.twirp-client";
import { type StatsServiceClient, StatsServiceClientJSON } from "../gen/acai/stats/stats.twirp-client";
import {
  answerError,
  connectionError,
  type HttpAnswer,
  interruptedError,
  parseObject,
  timeoutError,
} from "./errors.ts";

export interface ConnectOptions {
  /** Of the server; methods are below its path. */
  readonly url: string;
  /** Sent as a bearer token. */
  readonly apiKey?: string;
  /** For one answer, in milliseconds: as long as a message may wait for others and then take on the server. */
  readonly timeoutMs: number;
  /** Before the one repetition, in milliseconds. Default 500. */
  readonly retryAfterMs?: number;
}

/** The services of one server. */
export interface Services {
  readonly chat: ChatServiceClient;
  readonly stats: StatsServiceClient;
}

/** Their calls end with `canceled` when the signal aborts. */
export type Connect = (signal?: AbortSignal) => Services;

type Rpc = ConstructorParameters<typeof ChatServiceClientJSON>[0];

/**
 * Calls over HTTP. All errors are TwirpErrors whose text says what to do.
 *
 * A request that finds no server, or one that is `unavailable`, is sent once more after a moment:
 * all that this program sends may come twice, since it reads or carries an idempotency key.
 */
export function connector(options: ConnectOptions): Connect {
  const { retryAfterMs = 500 } = options;
  const url = options.url.replace(/\/+$/, "");

  return (signal = new AbortController().signal) => {
    const call = async (path: string, contentType: string, body: string): Promise<object> => {
      const answer = await post({ ...options, url }, path, contentType, body, signal);
      const message = answer.status === 200 ? parseObject(answer.body) : undefined;
      if (!message) throw answerError(url, answer);
      return message;
    };
    const rpc: Rpc = {
      async request(service, method, contentType, data) {
        const path = `/twirp/${service}/${method}`;
        const body = JSON.stringify(data);
        try {
          return await call(path, contentType, body);
        } catch (error) {
          if (!(error instanceof TwirpError) || error.code !== TwirpErrorCode.Unavailable) throw error;
          await sleep(retryAfterMs, undefined, { signal }).catch(() => {
            throw interruptedError();
          });
          return await call(path, contentType, body);
        }
      },
    };
    return { chat: new ChatServiceClientJSON(rpc), stats: new StatsServiceClientJSON(rpc) };
  };
}

async function post(
  { url, apiKey, timeoutMs }: { url: string; apiKey?: string; timeoutMs: number },
  path: string,
  contentType: string,
  body: string,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": contentType, ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      body,
      redirect: "manual",
      signal: AbortSignal.any([signal, timeout]),
    });
    const { status, headers } = response;
    return { status, location: headers.get("location"), body: await response.text() };
  } catch (error) {
    if (signal.aborted) throw interruptedError();
    if (timeout.aborted) throw timeoutError(url, timeoutMs);
    throw connectionError(url, error);
  }
}
