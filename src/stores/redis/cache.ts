import { z } from "zod";
import type { Cache, CacheEntry } from "../../core/cache.ts";
import { type RedisClient, redisKey } from "./client.ts";
import { parseJson } from "./json.ts";

const entrySchema = z.object({ json: z.string(), storedAt: z.number() });

/** A cache that all processes share. */
export class RedisCache implements Cache {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  async get(key: string): Promise<CacheEntry | undefined> {
    const name = redisKey("cache", key);
    const text = await this.#redis.run(name, (redis) => redis.get(name));
    return parseJson(text, entrySchema);
  }

  async set(key: string, { json, storedAt }: CacheEntry, ttlMs: number): Promise<void> {
    const name = redisKey("cache", key);
    const text = JSON.stringify({ json, storedAt });
    await this.#redis.run(name, (redis) => redis.set(name, text, "PX", ttlMs));
  }
}
