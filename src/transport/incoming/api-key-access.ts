import type { IncomingMessage } from "node:http";
import { type ApiKey, findApiKey } from "../../core/api-key.ts";
import { ANONYMOUS } from "../../core/context.ts";
import { Refusal } from "./refusal.ts";

/** Who sent a request. */
export interface Caller {
  readonly principal: string;
  /** Absent on a server without keys. */
  readonly key?: ApiKey;
}

/**
 * The caller by the key in `Authorization: Bearer` (RFC 6750, section 2.1) or `X-API-Key`; undefined
 * when the server has keys and the request shows none of them.
 */
export function identify(request: IncomingMessage, keys: readonly ApiKey[]): Caller | undefined {
  if (keys.length === 0) return { principal: ANONYMOUS };
  for (const shown of shownKeys(request)) {
    const key = findApiKey(keys, shown);
    if (key) return { principal: key.name, key };
  }
  return undefined;
}

export function unauthenticated(request: IncomingMessage): Refusal {
  const shown = shownKeys(request).length > 0;
  return new Refusal(
    "unauthenticated",
    "unauthenticated",
    shown
      ? "The server does not know this API key. Send one of its API_KEYS."
      : "The server needs an API key. Send one of its API_KEYS, as Authorization: Bearer or X-API-Key.",
    // RFC 6750, section 3: no error code for a request that shows no key.
    { headers: { "www-authenticate": `Bearer realm="parley"${shown ? ', error="invalid_token"' : ""}` } },
  );
}

function shownKeys({ headers }: IncomingMessage): string[] {
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  return [headers["x-api-key"], bearer].filter((shown) => typeof shown === "string");
}
