/**
 * Time as the core sees it: injected, so that tests run without real waiting. Nobody's waiting keeps the
 * process alive.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `action` after `ms` milliseconds, unless the function that it returns is called before. */
  after(ms: number, action: () => void): () => void;
}
