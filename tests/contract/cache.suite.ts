import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Cache } from "../../src/core/cache.ts";
import { eventually } from "../support/eventually.ts";

export interface CacheUnderTest {
  cache: Cache;
  close(): void;
}

const T0 = Date.parse("2026-11-21T09:00:00Z");
const HOUR = 3_600_000;

/** What every Cache must do. */
export function cacheContract(name: string, open: () => Promise<CacheUnderTest>): void {
  describe(`Cache: ${name}`, () => {
    let under: CacheUnderTest;
    let cache: Cache;
    let key: string;

    beforeEach(async () => {
      under = await open();
      cache = under.cache;
      key = crypto.randomUUID();
    });
    afterEach(() => under.close());

    test("there is nothing before it is set", async () => {
      expect(await cache.get(key)).toBeUndefined();
    });

    test("an entry is given back as it was, and replaced by the next", async () => {
      const first = { json: '{"text":"\\u2028 ñ 🙂 \\" \\\\"}', storedAt: T0 };
      await cache.set(key, first, HOUR);
      expect(await cache.get(key)).toEqual(first);
      expect(await cache.get(key)).toEqual(first);
      const second = { json: "null", storedAt: T0 + 1 };
      await cache.set(key, second, HOUR);
      expect(await cache.get(key)).toEqual(second);
    });

    test("entries do not share keys", async () => {
      await cache.set(key, { json: "1", storedAt: T0 }, HOUR);
      expect(await cache.get(`${key} `)).toBeUndefined();
    });

    test("an entry is gone once its time is up", async () => {
      await cache.set(key, { json: "1", storedAt: T0 }, 1);
      await eventually(async () => (await cache.get(key)) === undefined);
    });
  });
}
