import { RateLimiterMemory } from "rate-limiter-flexible";

export type Admission = "admitted" | "first_refusal" | "refusal";

/** A minute's count is dropped once no message of that minute is to be expected. */
const KEPT_SECONDS = 3_600;
const MINUTE_MS = 60_000;

/**
 * How many messages a person may send in a minute, by the clock of the platform: messages that had to
 * wait and are handled all at once are not held against anyone.
 */
export class RateLimit {
  readonly perMinute: number;
  readonly #limiter: RateLimiterMemory;

  constructor(perMinute: number) {
    this.perMinute = perMinute;
    this.#limiter = new RateLimiterMemory({ points: perMinute, duration: KEPT_SECONDS });
  }

  /** @param sentAt milliseconds since the Unix epoch. */
  async admit(userId: string, sentAt: number): Promise<Admission> {
    const minute = Math.floor(sentAt / MINUTE_MS);
    const { consumedPoints } = await this.#limiter.penalty(`${userId} ${minute}`);
    if (consumedPoints <= this.perMinute) return "admitted";
    return consumedPoints === this.perMinute + 1 ? "first_refusal" : "refusal";
  }
}
