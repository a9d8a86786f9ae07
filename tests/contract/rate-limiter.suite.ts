import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { RateLimit, RateLimiter } from "../../src/core/rate-limiter.ts";
import { eventually } from "../support/eventually.ts";

export interface RateLimitersUnderTest {
  /** Limiters made by it share their counts as those of several processes do, if they do. */
  create(limit: RateLimit): RateLimiter;
  close(): void;
}

/** What every RateLimiter must do. */
export function rateLimiterContract(name: string, open: () => Promise<RateLimitersUnderTest>): void {
  describe(`RateLimiter: ${name}`, () => {
    let under: RateLimitersUnderTest;
    let key: string;

    beforeEach(async () => {
      under = await open();
      key = crypto.randomUUID();
    });
    afterEach(() => under.close());

    test("lets a second's requests pass and counts them down, then the burst, then none", async () => {
      const limiter = under.create({ rps: 3, burst: 2 });
      const taken = [];
      for (let count = 0; count < 6; count++) taken.push(await limiter.take(key));
      expect(taken.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false]);
      expect(taken.map(({ remaining }) => remaining)).toEqual([2, 1, 0, 0, 0, 0]);
      for (const { resetMs } of taken) {
        expect(resetMs).toBeGreaterThan(0);
        expect(resetMs).toBeLessThanOrEqual(1_000);
      }
    });

    test("of many at the same moment exactly the limit and the burst pass", async () => {
      const limiter = under.create({ rps: 10, burst: 20 });
      const taken = await Promise.all(Array.from({ length: 200 }, () => limiter.take(key)));
      expect(taken.filter(({ allowed }) => allowed)).toHaveLength(30);
    });

    test("counts each key by itself", async () => {
      const limiter = under.create({ rps: 1, burst: 0 });
      expect(await limiter.take(key)).toMatchObject({ allowed: true });
      expect(await limiter.take(key)).toMatchObject({ allowed: false });
      expect(await limiter.take(`${key}-other`)).toMatchObject({ allowed: true });
    });

    test("lets more pass in the next second, but no second burst", async () => {
      const limiter = under.create({ rps: 2, burst: 3 });
      const burst = () => Promise.all(Array.from({ length: 10 }, () => limiter.take(key)));
      const passed = (taken: readonly { allowed: boolean }[]) =>
        taken.filter(({ allowed }) => allowed).length;
      expect(passed(await burst())).toBe(5);
      let later = 0;
      await eventually(async () => {
        later = passed(await burst());
        return later > 0;
      });
      expect(later).toBe(2);
    });
  });
}
