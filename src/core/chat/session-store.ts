import type { Id } from "../ids.ts";

/** Which conversation a session is in: the port that every session store implements. */
export interface SessionStore {
  /**
   * The session's conversation; when it has none, or was idle for longer than its time-out, it
   * becomes `candidate`. Of calls at the same time exactly one candidate wins. Restarts the idle
   * time.
   *
   * @param sessionKey a digest (see session.ts), no user text.
   * @param now milliseconds since the Unix epoch.
   */
  resolve(sessionKey: string, candidate: Id, now: number): Promise<Id>;
  /** Makes `conversationId` the session's conversation, and restarts the idle time. */
  bind(sessionKey: string, conversationId: Id, now: number): Promise<void>;
}
