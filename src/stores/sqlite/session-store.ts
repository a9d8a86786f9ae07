import type { SessionStore } from "../../core/chat/session-store.ts";
import type { Id } from "../../core/ids.ts";
import type { SqliteDatabase } from "./database.ts";

/** Sessions in the embedded database: they outlive a restart, and processes share them. */
export class SqliteSessionStore implements SessionStore {
  readonly #database: SqliteDatabase;
  readonly #ttlMs: number;

  /** @param ttlMs the idle time-out, in milliseconds. */
  constructor(database: SqliteDatabase, ttlMs: number) {
    this.#database = database;
    this.#ttlMs = ttlMs;
  }

  async resolve(sessionKey: string, candidate: Id, now: number): Promise<Id> {
    return this.#database.write((sql) => {
      const row = sql(
        `INSERT INTO sessions (key, conversation_id, expires_at) VALUES (:key, :candidate, :expiresAt)
           ON CONFLICT (key) DO UPDATE SET
             conversation_id = iif(expires_at <= :now, excluded.conversation_id, conversation_id),
             expires_at = excluded.expires_at
           RETURNING conversation_id`,
      ).get({ key: sessionKey, candidate, expiresAt: now + this.#ttlMs, now });
      return String(row?.conversation_id);
    });
  }

  async bind(sessionKey: string, conversationId: Id, now: number): Promise<void> {
    await this.#database.write((sql) =>
      sql("INSERT OR REPLACE INTO sessions (key, conversation_id, expires_at) VALUES (?, ?, ?)").run(
        sessionKey,
        conversationId,
        now + this.#ttlMs,
      ),
    );
  }
}
