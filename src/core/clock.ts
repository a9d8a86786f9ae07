/** Time as the core sees it: injected, so that tests run without real waiting. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts.
   * A pending sleep does not keep the process alive.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
