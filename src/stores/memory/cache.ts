import type { Cache, CacheEntry } from "../../core/cache.ts";
import type { Clock } from "../../core/clock.ts";

interface Kept extends CacheEntry {
  readonly bytes: number;
  readonly expiresAt: number;
}

/** Of an entry, beside its texts: objects, numbers and its place in the map. */
const ENTRY_BYTES = 128;

/** A cache in this process; when it is full the entries used longest ago make room. */
export class MemoryCache implements Cache {
  /** In the order of their last use, oldest first: a map keeps the order of insertion. */
  readonly #entries = new Map<string, Kept>();
  readonly #maxBytes: number;
  readonly #clock: Pick<Clock, "now">;
  #bytes = 0;

  /** @param maxBytes of keys and values together, each character counted as two bytes. */
  constructor(maxBytes: number, clock: Pick<Clock, "now">) {
    this.#maxBytes = maxBytes;
    this.#clock = clock;
  }

  async get(key: string): Promise<CacheEntry | undefined> {
    const kept = this.#take(key);
    if (!kept || kept.expiresAt <= this.#clock.now()) return undefined;
    this.#put(key, kept);
    return { json: kept.json, storedAt: kept.storedAt };
  }

  async set(key: string, { json, storedAt }: CacheEntry, ttlMs: number): Promise<void> {
    this.#take(key);
    const bytes = ENTRY_BYTES + 2 * (key.length + json.length);
    if (bytes > this.#maxBytes) return;
    this.#put(key, { json, storedAt, bytes, expiresAt: this.#clock.now() + ttlMs });
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#take(oldest);
    }
  }

  #put(key: string, kept: Kept): void {
    this.#entries.set(key, kept);
    this.#bytes += kept.bytes;
  }

  #take(key: string): Kept | undefined {
    const kept = this.#entries.get(key);
    if (!kept) return undefined;
    this.#entries.delete(key);
    this.#bytes -= kept.bytes;
    return kept;
  }
}
