import type { IncomingMessage } from "node:http";
import type { ApiKey } from "../../core/api-key.ts";
import type { RateLimit, RateLimiter } from "../../core/rate-limiter.ts";
import type { AnswerHeaders } from "../answer.ts";
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

/** The headers of draft-ietf-httpapi-ratelimit-headers-10. */
type LimitHeaders = Readonly<Record<"ratelimit-policy" | "ratelimit", string>>;

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
   * Counts a request, whoever it is from.
   *
   * @param answerHeaders gets those that tell of the limits.
   * @throws Refusal `resource_exhausted`
   */
  async admit(
    request: IncomingMessage,
    caller: Caller | undefined,
    answerHeaders: AnswerHeaders,
  ): Promise<void> {
    const name = caller?.key?.name;
    const told: LimitHeaders[] = [];
    if (name !== undefined && this.#own.has(name)) {
      const own = this.#own.get(name);
      if (own) told.push(await take("key", own, name));
    } else {
      const address = this.#addresses.of(request);
      if (this.#everyone) told.push(await take("address", this.#everyone, address));
      if (this.#everyone && name !== undefined) told.push(await take("key", this.#everyone, name));
    }
    if (told.length === 0) return;
    answerHeaders["ratelimit-policy"] = told.map((headers) => headers["ratelimit-policy"]);
    answerHeaders.ratelimit = told.map((headers) => headers.ratelimit);
  }

  /**
   * Counts a message of a user behind a key with limits of its own; others are counted already.
   *
   * @throws Refusal `resource_exhausted`
   */
  async admitUser(principal: string, platform: string, userId: string): Promise<void> {
    if (!this.#everyone || userId === "" || !this.#own.has(principal)) return;
    await take("user", this.#everyone, JSON.stringify([principal, platform, userId]));
  }
}

async function take(scope: Scope, quota: Quota, id: string): Promise<LimitHeaders> {
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
    { retryAfterMs: seconds * 1000, meta: { limit: scope }, headers },
  );
}
