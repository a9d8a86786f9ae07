import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApiKey } from "../../core/api-key.ts";
import type { RateLimit, RateLimiter } from "../../core/rate-limiter.ts";
import type { Caller } from "./api-key-access.ts";
import type { ClientAddresses } from "./client-address.ts";
import { Refusal } from "./refusal.ts";

export interface RequestLimitsOptions {
  /** Of each address, key, and user behind a key with limits of its own. No limit where `rps` is 0. */
  readonly limit: RateLimit;
  readonly keys: readonly ApiKey[];
  readonly createLimiter: (limit: RateLimit) => RateLimiter;
  readonly addresses: ClientAddresses;
}

/** Whose requests are counted. */
type Scope = "address" | "key" | "user";

/** A limit and its counts. */
interface Quota {
  readonly limit: RateLimit;
  readonly limiter: RateLimiter;
}

const SCOPE_TEXT: Readonly<Record<Scope, string>> = {
  address: "from this address",
  key: "with this API key",
  user: "of this user",
};

/**
 * How many requests are let in. Most callers are counted by their address and, on a server with keys,
 * by their key. A key with limits of its own speaks for many people: it is counted by itself alone, and
 * each of its users for themselves.
 */
export class RequestLimits {
  readonly #addresses: ClientAddresses;
  readonly #everyone: Quota | undefined;
  /** By the key's name. */
  readonly #own = new Map<string, Quota | undefined>();

  constructor({ limit, keys, createLimiter, addresses }: RequestLimitsOptions) {
    const toQuota = (limit: RateLimit) =>
      limit.rps === 0 ? undefined : { limit, limiter: createLimiter(limit) };
    this.#addresses = addresses;
    this.#everyone = toQuota(limit);
    for (const key of keys) {
      if (key.limit) this.#own.set(key.name, toQuota(key.limit));
    }
  }

  /**
   * Counts a request, whoever it is from; its answer gets the headers that tell of the limits.
   *
   * @throws Refusal `resource_exhausted`
   */
  async admit(request: IncomingMessage, response: ServerResponse, caller: Caller | undefined): Promise<void> {
    const name = caller?.key?.name;
    const headers: Record<string, string>[] = [];
    if (name !== undefined && this.#own.has(name)) {
      headers.push(await take("key", this.#own.get(name), name));
    } else {
      headers.push(await take("address", this.#everyone, this.#addresses.of(request)));
      if (name !== undefined) headers.push(await take("key", this.#everyone, name));
    }
    for (const [header, value] of headers.flatMap((fields) => Object.entries(fields))) {
      response.appendHeader(header, value);
    }
  }

  /**
   * Counts a message of a user behind a key with limits of its own; others are counted already.
   *
   * @throws Refusal `resource_exhausted`
   */
  async admitUser(principal: string, platform: string, userId: string): Promise<void> {
    if (userId === "" || !this.#own.has(principal)) return;
    await take("user", this.#everyone, JSON.stringify([principal, platform, userId]));
  }
}

/** @returns the headers of draft-ietf-httpapi-ratelimit-headers-10. */
async function take(scope: Scope, quota: Quota | undefined, id: string): Promise<Record<string, string>> {
  if (!quota) return {};
  const { allowed, remaining, resetMs } = await quota.limiter.take(`${scope} ${id}`);
  const seconds = Math.max(1, Math.ceil(resetMs / 1000));
  const headers = {
    "ratelimit-policy": `"${scope}";q=${quota.limit.rps};w=1`,
    ratelimit: `"${scope}";r=${remaining};t=${seconds}`,
  };
  if (allowed) return headers;
  throw new Refusal(
    "resource_exhausted",
    "rate_limit",
    `Too many requests ${SCOPE_TEXT[scope]}. Send it again in ${seconds} second${seconds === 1 ? "" : "s"}.`,
    { retryAfter: seconds, meta: { limit: scope }, headers },
  );
}
