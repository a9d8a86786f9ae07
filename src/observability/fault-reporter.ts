/** An error that the log has at level `error` or `fatal`. */
export interface Fault {
  readonly level: "error" | "fatal";
  readonly error: unknown;
  readonly requestId?: string;
  readonly turnId?: string;
}

/** Tells of faults somewhere else than in the log. */
export interface FaultReporter {
  /** Never throws, and waits for nothing. */
  report(fault: Fault): void;
  /** Resolves when what was reported has been sent, or `timeoutMs` are over. Never rejects. */
  close(timeoutMs: number): Promise<void>;
}
