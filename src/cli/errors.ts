import { isNativeError } from "node:util/types";
import { TwirpError, TwirpErrorCode } from "twirp-ts";

/** The command was used in a way that can't work: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The user pressed Ctrl-C before the answer came. */
export function interruptedError(): TwirpError {
  return new TwirpError(
    TwirpErrorCode.Canceled,
    "Stopped waiting. The server finishes the answer and keeps it.",
  );
}

export function timeoutError(url: string, ms: number): TwirpError {
  return new TwirpError(
    TwirpErrorCode.DeadlineExceeded,
    `The server at ${url} did not answer within ${ms / 1000} seconds. It may still finish: parley list shows its conversations. To wait longer set TURN_TIMEOUT_SECONDS as the server has it.`,
  );
}

/** A request that got no answer at all, as an `unavailable` that says how to mend it. */
export function connectionError(url: string, error: unknown): TwirpError {
  const cause = isNativeError(error) && isNativeError(error.cause) ? error.cause : error;
  const code = isNativeError(cause) && "code" in cause ? String(cause.code) : "";
  const detail = isNativeError(cause) ? cause.message : String(cause);
  return new TwirpError(TwirpErrorCode.Unavailable, connectionProblem(url, code, detail));
}

function connectionProblem(url: string, code: string, detail: string): string {
  switch (code) {
    case "ECONNREFUSED":
      return `The server at ${url} is not running. Start it with: make run`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `There is no machine named ${new URL(url).hostname} to be found. Check --url (or API_URL), and that this machine is online.`;
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return `The server at ${url} broke off the connection. Its log says why; try again when it runs.`;
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
      return `The server at ${url} does not speak TLS. Set --url (or API_URL) to its address with http://`;
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "UND_ERR_CONNECT_TIMEOUT":
      return `The server at ${url} can't be reached. Check --url (or API_URL) and the network.`;
    default:
      return `The request to ${url} failed: ${detail || code}. Check --url (or API_URL).`;
  }
}

export interface HttpAnswer {
  readonly status: number;
  /** The header of a redirection. */
  readonly location: string | null;
  readonly body: string;
}

/** What an answer without a response message says, as a Twirp server or something before it wrote it. */
export function answerError(url: string, { status, location, body }: HttpAnswer): TwirpError {
  const parsed = parseObject(body);
  if (typeof parsed?.code === "string" && typeof parsed.msg === "string")
    return TwirpError.fromObject(parsed);
  const problem =
    status >= 300 && status < 400 && location
      ? `The server at ${url} sends its callers to ${location}. Set --url (or API_URL) to where it is.`
      : `The server at ${url} answered with HTTP status ${status}, and not as Parley does. Check --url (or API_URL), and any proxy before the server.`;
  // Twirp v7's specification, "Errors from intermediaries".
  const code = status < 400 ? TwirpErrorCode.Internal : INTERMEDIARY_CODES[status];
  return new TwirpError(code ?? TwirpErrorCode.Unknown, problem)
    .withMeta("http_error_from_intermediary", "true")
    .withMeta("status_code", String(status));
}

/** @returns undefined for what is no JSON object. */
export function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

const INTERMEDIARY_CODES: Readonly<Record<number, TwirpErrorCode>> = {
  400: TwirpErrorCode.Internal,
  401: TwirpErrorCode.Unauthenticated,
  403: TwirpErrorCode.PermissionDenied,
  404: TwirpErrorCode.BadRoute,
  429: TwirpErrorCode.Unavailable,
  502: TwirpErrorCode.Unavailable,
  503: TwirpErrorCode.Unavailable,
  504: TwirpErrorCode.Unavailable,
};

/** The error in words for a person; not yet safe for a terminal. */
export function describeError(error: unknown): string {
  if (!(error instanceof TwirpError)) return error instanceof Error ? error.message : String(error);
  switch (error.code) {
    case TwirpErrorCode.NotFound:
      return "There is no such conversation. See which there are with: parley list";
    case TwirpErrorCode.Unauthenticated:
      return `${error.msg}\nSet API_KEY to a key that the server takes.`;
    case TwirpErrorCode.BadRoute:
      // What else answers with 404 has been told so already.
      return error.meta.twirp_invalid_route === undefined
        ? error.msg
        : `${error.msg}\nCheck --url (or API_URL).`;
    default:
      return error.msg;
  }
}

/** The error as the wire has it; what this program itself finds wrong with its use included. */
export function errorJson(error: unknown): { code: string; msg: string; meta: Record<string, string> } {
  if (error instanceof TwirpError) return { code: error.code, msg: error.msg, meta: error.meta };
  const code = error instanceof UsageError ? TwirpErrorCode.InvalidArgument : TwirpErrorCode.Unknown;
  return { code, msg: describeError(error), meta: {} };
}
