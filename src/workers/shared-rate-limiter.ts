import type { Allowance, RateLimit, RateLimiter } from "../core/rate-limiter.ts";
import type { Primary } from "./primary.ts";

/** Counts in the primary, for all workers; and where that can't be, in this process alone. */
export class SharedRateLimiter implements RateLimiter {
  readonly #primary: Pick<Primary, "take">;
  readonly #limit: RateLimit;
  readonly #fallback: RateLimiter;

  constructor(primary: Pick<Primary, "take">, limit: RateLimit, fallback: RateLimiter) {
    this.#primary = primary;
    this.#limit = limit;
    this.#fallback = fallback;
  }

  async take(key: string): Promise<Allowance> {
    try {
      return await this.#primary.take(this.#limit, key);
    } catch {
      return this.#fallback.take(key);
    }
  }
}
