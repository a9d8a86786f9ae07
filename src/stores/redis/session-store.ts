import { z } from "zod";
import type { SessionStore } from "../../core/chat/session-store.ts";
import type { Id } from "../../core/ids.ts";
import { type RedisClient, type RedisCommands, redisKey } from "./client.ts";
import { parseJson } from "./json.ts";

const entrySchema = z.object({
  conversationId: z.string(),
  /** The session's last use, in milliseconds since the Unix epoch, as the callers tell the time. */
  touchedAt: z.number(),
  /** When the truth last said that this is the session's conversation. */
  checkedAt: z.number(),
});
type Entry = z.output<typeof entrySchema>;

/** A part of the idle time-out; see below for what hangs on it. */
const CHECKS_PER_TTL = 10;
/** Keys whose entries may be out of date; some 64 bytes each. */
const MAX_DOUBTFUL = 10_000;

/** Replaces what was read, if it still stands: of writers at the same time, one wins. */
const REPLACE = `
  if (redis.call("GET", KEYS[1]) or "") == ARGV[1] then
    redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
    return 1
  end
  return 0`;

/**
 * Sessions in Redis, in front of the store that holds the truth. What Redis has is used while its
 * session is not idle for too long and the truth confirmed it within the last tenth of the idle
 * time-out; all else is asked of the truth, which also settles who of many is first. So while Redis
 * fails nothing is lost but speed.
 *
 * Entries are replaced only where they are still what was read, so that a slow reader never undoes a
 * bind. A bind that did not reach Redis leaves an entry in doubt: this process takes no entry in doubt,
 * and deletes them before Redis is used again. What remains:
 * - An entry can be behind the truth, for at most a tenth of the idle time-out, after a process died
 *   between the two writes of a bind, or while another process still reaches a Redis that this one does
 *   not; likewise after two binds of one session at the same moment, and for the oldest of more than
 *   10,000 entries in doubt.
 * - When Redis loses a session, the truth may end it a tenth of the idle time-out too early.
 */
export class RedisSessionStore implements SessionStore {
  readonly #redis: RedisClient;
  readonly #truth: SessionStore;
  readonly #ttlMs: number;
  readonly #doubtful = new Set<string>();

  /** @param ttlMs the idle time-out, in milliseconds; the same as the truth's. */
  constructor(redis: RedisClient, truth: SessionStore, ttlMs: number) {
    this.#redis = redis;
    this.#truth = truth;
    this.#ttlMs = ttlMs;
    redis.onReturn(async (commands) => {
      await Promise.all([...this.#doubtful].map((key) => this.#forget(key, commands)));
    });
  }

  async resolve(sessionKey: string, candidate: Id, now: number): Promise<Id> {
    const key = redisKey("session", sessionKey);
    const text = await this.#redis.run(key, async (redis) => {
      if (this.#doubtful.has(key)) await this.#forget(key, redis);
      return redis.get(key);
    });
    if (text === undefined) return this.#truth.resolve(sessionKey, candidate, now);

    const found = parseJson(text, entrySchema);
    const live = found && now < found.touchedAt + this.#ttlMs ? found : undefined;
    if (live && now < live.checkedAt + this.#ttlMs / CHECKS_PER_TTL) {
      if (now > live.touchedAt) await this.#replace(key, text, { ...live, touchedAt: now });
      return live.conversationId;
    }
    // The truth saw less of this session's use, and may take a live one for ended: then it stays what it is.
    const conversationId = await this.#truth.resolve(sessionKey, live?.conversationId ?? candidate, now);
    await this.#replace(key, text, { conversationId, touchedAt: now, checkedAt: now });
    return conversationId;
  }

  async bind(sessionKey: string, conversationId: Id, now: number): Promise<void> {
    const key = redisKey("session", sessionKey);
    const text = JSON.stringify({ conversationId, touchedAt: now, checkedAt: now });
    try {
      await this.#truth.bind(sessionKey, conversationId, now);
    } catch (error) {
      // It may have been done all the same.
      this.#doubt(key);
      throw error;
    }
    const done = await this.#redis.run(key, (redis) => redis.set(key, text, "PX", this.#ttlMs));
    if (done === undefined) this.#doubt(key);
  }

  async #replace(key: string, seen: string | null, entry: Entry): Promise<void> {
    const text = JSON.stringify(entry);
    await this.#redis.run(key, (redis) => redis.eval(REPLACE, 1, key, seen ?? "", text, this.#ttlMs));
  }

  async #forget(key: string, redis: RedisCommands): Promise<void> {
    // Not in doubt from here on: a bind that fails meanwhile puts it in doubt anew.
    this.#doubtful.delete(key);
    try {
      await redis.del(key);
    } catch (error) {
      this.#doubt(key);
      throw error;
    }
  }

  #doubt(key: string): void {
    this.#doubtful.add(key);
    const [oldest] = this.#doubtful;
    if (this.#doubtful.size > MAX_DOUBTFUL && oldest !== undefined) this.#doubtful.delete(oldest);
  }
}
