import type { Collection, Filter } from "mongodb";
import type { SessionStore } from "../../core/chat/session-store.ts";
import type { Id } from "../../core/ids.ts";
import { insert, type MongoDatabase, repeatable } from "./client.ts";
import type { SessionDocument } from "./documents.ts";

/** Sessions in MongoDB, one document each; all processes share them. */
export class MongoSessionStore implements SessionStore {
  readonly #database: MongoDatabase;
  readonly #sessions: Collection<SessionDocument>;
  readonly #ttlMs: number;

  /** @param ttlMs the idle time-out, in milliseconds. */
  constructor(database: MongoDatabase, ttlMs: number) {
    this.#database = database;
    this.#sessions = database.db.collection<SessionDocument>("sessions");
    this.#ttlMs = ttlMs;
  }

  async resolve(sessionKey: string, candidate: Id, now: number): Promise<Id> {
    const isLive = { _id: sessionKey, expires_at: { $gt: new Date(now) } };
    const isExpired = { expires_at: { $lte: new Date(now) } };
    const session = this.#session(sessionKey, candidate, now);
    const renewal = { $set: { expires_at: session.expires_at } };
    return this.#database.run(async (signal) => {
      for (;;) {
        const renew = () => this.#sessions.findOneAndUpdate(isLive, renewal, { returnDocument: "after" });
        const live = await repeatable(renew, signal);
        if (live) return live.conversation_id;
        if (await this.#put(session, isExpired, signal)) return candidate;
      }
    });
  }

  async bind(sessionKey: string, conversationId: Id, now: number): Promise<void> {
    const session = this.#session(sessionKey, conversationId, now);
    await this.#database.run(async (signal) => {
      while (!(await this.#put(session, {}, signal)));
    });
  }

  #session(sessionKey: string, conversationId: Id, now: number): SessionDocument {
    return { _id: sessionKey, conversation_id: conversationId, expires_at: new Date(now + this.#ttlMs) };
  }

  /** Puts the session where there is none, or one of this condition; whether it is known to have. */
  async #put(
    session: SessionDocument,
    condition: Filter<SessionDocument>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { _id, ...fields } = session;
    const replace = () => this.#sessions.updateOne({ _id, ...condition }, { $set: fields });
    const { matchedCount } = await repeatable(replace, signal);
    return matchedCount > 0 || insert(this.#sessions, session, signal);
  }
}
