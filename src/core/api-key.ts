import { hash, timingSafeEqual } from "node:crypto";
import { digest } from "./ids.ts";
import type { RateLimit } from "./rate-limiter.ts";

/** A key that clients show; its text is not kept. */
export interface ApiKey {
  /** The principal: whoever shows the key owns this name's conversations. */
  readonly name: string;
  /** SHA-256 of the key. */
  readonly hash: Uint8Array;
  /** Instead of the limits that hold for everyone: of a key that speaks for many people. */
  readonly limit?: RateLimit;
}

const MIN_KEY_LENGTH = 16;

const NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;
/** RFC 6750, section 2.1, "b64token": what can be sent as a bearer token. */
const KEY = /^[\w.~+/-]+=*$/;

/**
 * Reads `key` or `name:key`, separated by commas. A key without a name is called by a part of its
 * digest, the same after each start.
 *
 * @param problem is told what is wrong, once for each mistake, by position: never with a key.
 */
export function parseApiKeys(text: string, problem: (message: string) => void): ApiKey[] {
  const positions = new Map<string, number>();
  const report = (position: number, message: string) => problem(`entry ${position}: ${message}`);
  const unique = (position: number, value: string, what: string) => {
    const first = positions.get(value);
    if (first === undefined) positions.set(value, position);
    else report(position, `${what} is that of entry ${first}`);
  };
  return text.split(",").flatMap((entry, index) => {
    const position = index + 1;
    const parts = entry.trim().split(":");
    const key = parts.pop() ?? "";
    const name = parts.pop() ?? `key-${digest("api-key", key).slice(0, 12)}`;
    if (parts.length > 0 || !KEY.test(key)) {
      report(position, "must be key or name:key, the key of letters, digits and -._~+/ with = at its end");
      return [];
    }
    if (!NAME.test(name)) report(position, "the name must have letters, digits and -._ only, at most 64");
    if (key.length < MIN_KEY_LENGTH) {
      report(
        position,
        `the key must have at least ${MIN_KEY_LENGTH} characters; make one with: openssl rand -hex 24`,
      );
    }
    unique(position, `name ${name}`, "the name");
    unique(position, `key ${key}`, "the key");
    return [{ name, hash: sha256(key) }];
  });
}

/** The key that was shown, if it is one of these; takes as long whichever it is, and if it is none. */
export function findApiKey(keys: readonly ApiKey[], shown: string): ApiKey | undefined {
  const shownHash = sha256(shown);
  let found: ApiKey | undefined;
  for (const key of keys) {
    if (timingSafeEqual(key.hash, shownHash)) found = key;
  }
  return found;
}

function sha256(text: string): Uint8Array {
  return hash("sha256", text, "buffer");
}
