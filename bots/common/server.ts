import { FetchRPC, TwirpError, TwirpErrorCode } from "twirp-ts";
import { type ChatServiceClient, ChatServiceClientJSON } from "../../src/gen/acai/chat/chat.twirp-client";

export interface ServerOptions {
  readonly url: string;
  /** Sent as a bearer token. */
  readonly apiKey?: string;
}

/** The generated client over fetch. What its calls throw, {@link toServerError} makes sense of. */
export function connectTo({ url, apiKey }: ServerOptions): ChatServiceClient {
  const headers = apiKey ? { authorization: `Bearer ${apiKey}` } : undefined;
  return new ChatServiceClientJSON(FetchRPC({ baseUrl: `${url.replace(/\/+$/, "")}/twirp`, headers }));
}

/**
 * What a failed call means for the message behind it:
 * - `away`: no Parley that would take it was there. The message waits.
 * - `busy`: the server takes it later, and has said when. The message waits.
 * - `passing`: it was taken, and may go better in a moment.
 * - `final`: it won't go better.
 */
export type Trouble = "away" | "busy" | "passing" | "final";

export class ServerError extends Error {
  override readonly name = "ServerError";
  readonly trouble: Trouble;
  /** Twirp's; empty when the server did not answer as one. */
  readonly code: string;
  /** Meta `reason`, else meta `argument`; else empty. */
  readonly reason: string;
  /** How long the server asks to wait, in milliseconds: meta `retry_after`, which is in seconds. */
  readonly waitMs: number;

  constructor(trouble: Trouble, message: string, detail: Partial<Detail> = {}) {
    super(message, { cause: detail.cause });
    this.trouble = trouble;
    this.code = detail.code ?? "";
    this.reason = detail.reason ?? "";
    this.waitMs = detail.waitMs ?? 0;
  }
}

interface Detail {
  readonly code: string;
  readonly reason: string;
  readonly waitMs: number;
  readonly cause: unknown;
}

export function toServerError(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  if (!(error instanceof TwirpError)) {
    return new ServerError("away", "The server does not answer as Parley does. Is API_URL right?", {
      cause: error,
    });
  }
  const { code, msg, meta } = error;
  const reason = meta?.reason ?? meta?.argument ?? "";
  const waitMs = 1000 * (Number(meta?.retry_after) || 0);
  return new ServerError(troubleOf(code, reason, waitMs), msg, { code, reason, waitMs });
}

function troubleOf(code: string, reason: string, waitMs: number): Trouble {
  const hasTurn = reason.startsWith("model_");
  switch (code) {
    case TwirpErrorCode.Unavailable:
      if (hasTurn) return "passing";
      return reason === "overloaded" ? "busy" : "away";
    // A wrong API_KEY or API_URL. Its owner mends that, and no message is lost meanwhile.
    case TwirpErrorCode.Unauthenticated:
    case TwirpErrorCode.PermissionDenied:
    case TwirpErrorCode.BadRoute:
    case TwirpErrorCode.Unknown:
      return "away";
    case TwirpErrorCode.ResourceExhausted:
      return hasTurn || waitMs === 0 ? "passing" : "busy";
    case TwirpErrorCode.Aborted:
    case TwirpErrorCode.Internal:
      return "passing";
    default:
      return "final";
  }
}
