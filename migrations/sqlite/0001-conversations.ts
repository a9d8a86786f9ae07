import type { SqliteMigration } from "../../src/stores/sqlite/migrate.ts";

export const conversations: SqliteMigration = {
  version: 1,
  name: "conversations",
  up: `
    CREATE TABLE conversations (
      rowid INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      owner TEXT NOT NULL,
      title TEXT NOT NULL,
      title_state TEXT NOT NULL CHECK (title_state IN ('pending', 'final')),
      turn_count INTEGER NOT NULL,
      message_count INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX conversations_by_creation ON conversations (owner, created_at, id);

    CREATE TABLE turns (
      rowid INTEGER PRIMARY KEY,
      conversation INTEGER NOT NULL REFERENCES conversations (rowid),
      seq INTEGER NOT NULL,
      id TEXT NOT NULL,
      owner TEXT NOT NULL,
      idempotency_key TEXT,
      request_hash TEXT NOT NULL,
      message_offset INTEGER NOT NULL,
      request TEXT NOT NULL,
      steps TEXT NOT NULL DEFAULT '[]',
      state TEXT NOT NULL CHECK (state IN ('running', 'completed', 'failed')),
      outcome TEXT,
      lease_holder TEXT,
      lease_expires_at INTEGER,
      attempts INTEGER NOT NULL DEFAULT 1,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX turns_by_seq ON turns (conversation, seq);
    CREATE UNIQUE INDEX turns_running ON turns (conversation) WHERE state = 'running';
    CREATE UNIQUE INDEX turns_by_key ON turns (conversation, idempotency_key)
      WHERE idempotency_key IS NOT NULL;
    CREATE INDEX turns_by_owner_key ON turns (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE INDEX turns_by_lease ON turns (lease_expires_at) WHERE state = 'running';

    CREATE TABLE sessions (
      key TEXT NOT NULL PRIMARY KEY,
      conversation_id TEXT NOT NULL,
      expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
  down: `
    DROP TABLE sessions;
    DROP TABLE turns;
    DROP TABLE conversations;
  `,
};
