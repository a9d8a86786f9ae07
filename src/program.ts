/** What a process does from its start until it is told to end. */
export interface Program {
  /** Resolves once it does it. @throws Error that says what to do when it can't. */
  start(): Promise<void>;
  /** Ends it in order; called once, at any time. */
  stop(): Promise<void>;
  /** Begins anew with what the configuration now says, as far as it can. */
  renew?(): void;
  /** Counts an error that came to where nothing was left to catch it. */
  countFault?(): void;
}
