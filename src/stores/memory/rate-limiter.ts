import { randomUUID } from "node:crypto";
import { BurstyRateLimiter, RateLimiterMemory } from "rate-limiter-flexible";
import { digest } from "../../core/ids.ts";
import {
  type Allowance,
  BURST_WINDOW_SECONDS,
  type RateLimit,
  type RateLimiter,
} from "../../core/rate-limiter.ts";
import { consume } from "../rate-limits.ts";

/** Hexadecimal digits of a key's digest that tell it from others: 65,536 counts at most. */
const DIGITS = 4;

/**
 * Counts in this process. Keys share a fixed number of counts, so that a flood from any number of
 * addresses takes up no more memory than that; which keys share one differs from process to process.
 */
export class MemoryRateLimiter implements RateLimiter {
  readonly #limiter: BurstyRateLimiter;
  /** Known to nobody, or others' counts could be used up on purpose. */
  readonly #salt = randomUUID();

  constructor({ rps, burst }: RateLimit) {
    this.#limiter = new BurstyRateLimiter(
      new RateLimiterMemory({ points: rps, duration: 1 }),
      new RateLimiterMemory({ points: burst, duration: BURST_WINDOW_SECONDS }),
    );
  }

  take(key: string): Promise<Allowance> {
    return consume(this.#limiter, digest(this.#salt, key).slice(0, DIGITS));
  }
}
