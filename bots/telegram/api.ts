import { Api, GrammyError, HttpError, type Transformer } from "grammy";
import { BackOff, type Pace } from "../common/back-off.ts";

export interface ApiOptions {
  readonly token: string;
  /** Of the Bot API server. */
  readonly root: string;
  /** Ends all waiting between tries. */
  readonly signal: AbortSignal;
  /** Hears of every call that failed; `code` is 0 when there was no answer. */
  readonly onFailure: (method: string, code: number) => void;
  /** Default: 500 ms to 30 s. */
  readonly pace?: Pace;
  /** For one call, in milliseconds. Default: 15 minutes. */
  readonly patienceMs?: number;
}

/** A long poll, and time for its answer to come. */
const TIMEOUT_SECONDS = 75;

/** Calls that matter for a moment only, or whose caller tries again by itself. */
const TRIED_ONCE: ReadonlySet<string> = new Set(["getUpdates", "sendChatAction", "getMyCommands"]);

/**
 * grammY's client. A call that Telegram is too busy for (429, with its `retry_after`), fails at (5xx)
 * or does not answer is made again, within `patienceMs`: so no chat waits for ever, nor those behind
 * it. A message may so be sent twice, where its first answer was lost.
 */
export function createApi({ token, root, ...options }: ApiOptions): Api {
  const api = new Api(token, { apiRoot: root.replace(/\/+$/, ""), timeoutSeconds: TIMEOUT_SECONDS });
  api.config.use(tryingAgain(options));
  return api;
}

function tryingAgain({ signal, onFailure, pace, patienceMs = 900_000 }: Omit<ApiOptions, "token" | "root">) {
  const transformer: Transformer = async (call, method, payload, abort) => {
    const until = Date.now() + patienceMs;
    const backOff = new BackOff(pace ?? { firstMs: 500, maxMs: 30_000 }, signal);
    for (;;) {
      let waitMs = 0;
      try {
        const answer = await call(method, payload, abort);
        if (answer.ok) return answer;
        onFailure(method, answer.error_code);
        waitMs = (answer.parameters?.retry_after ?? 0) * 1000;
        const passes = answer.error_code === 429 || answer.error_code >= 500;
        if (!passes || TRIED_ONCE.has(method) || Date.now() + waitMs > until) return answer;
      } catch (error) {
        if (abort?.aborted) throw error;
        onFailure(method, 0);
        if (TRIED_ONCE.has(method) || Date.now() > until) throw error;
      }
      await backOff.wait(waitMs);
    }
  };
  return transformer;
}

/** The error for a log: without the request's address, which has the token in it, or its text. */
export function describeApiError(error: unknown): Record<string, unknown> {
  if (error instanceof GrammyError) {
    return { method: error.method, code: error.error_code, description: error.description };
  }
  if (error instanceof HttpError) {
    const cause = error.error;
    const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
    return { problem: error.message, code };
  }
  return { err: error };
}
