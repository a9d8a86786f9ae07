export interface CacheEntry {
  /** The value, as JSON text. */
  readonly json: string;
  /** In milliseconds since the Unix epoch. */
  readonly storedAt: number;
}

/**
 * Values that can be had again: the port that every cache implements. It never throws; where it can't
 * serve there is nothing in it, and nothing is kept.
 */
export interface Cache {
  get(key: string): Promise<CacheEntry | undefined>;
  /** Keeps the entry for `ttlMs` milliseconds, or less where room is short. */
  set(key: string, entry: CacheEntry, ttlMs: number): Promise<void>;
}
