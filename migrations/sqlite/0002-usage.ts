import type { SqliteMigration } from "../../src/stores/sqlite/migrate.ts";

export const usage: SqliteMigration = {
  version: 2,
  name: "usage",
  up: `
    ALTER TABLE turns ADD COLUMN calls TEXT NOT NULL DEFAULT '';

    CREATE TABLE usage (
      id TEXT NOT NULL PRIMARY KEY,
      principal TEXT NOT NULL,
      platform TEXT,
      user_id TEXT,
      conversation_id TEXT NOT NULL,
      turn_id TEXT NOT NULL,
      operation TEXT NOT NULL,
      provider TEXT NOT NULL,
      model TEXT NOT NULL,
      started_at INTEGER NOT NULL,
      duration_ms INTEGER,
      status TEXT NOT NULL CHECK (status IN ('ok', 'failed', 'aborted', 'interrupted')),
      input_tokens INTEGER,
      cached_input_tokens INTEGER,
      output_tokens INTEGER,
      reasoning_tokens INTEGER,
      cost INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE usage_hours (
      principal TEXT NOT NULL,
      hour INTEGER NOT NULL,
      provider TEXT NOT NULL,
      model TEXT NOT NULL,
      operation TEXT NOT NULL,
      platform TEXT NOT NULL,
      user_id TEXT NOT NULL,
      calls INTEGER NOT NULL,
      failed INTEGER NOT NULL,
      aborted INTEGER NOT NULL,
      interrupted INTEGER NOT NULL,
      input_tokens INTEGER NOT NULL,
      cached_input_tokens INTEGER NOT NULL,
      output_tokens INTEGER NOT NULL,
      reasoning_tokens INTEGER NOT NULL,
      unknown_tokens INTEGER NOT NULL,
      cost INTEGER NOT NULL,
      unknown_cost INTEGER NOT NULL,
      duration_ms INTEGER NOT NULL,
      PRIMARY KEY (principal, hour, provider, model, operation, platform, user_id)
    ) STRICT, WITHOUT ROWID;
  `,
  down: `
    DROP TABLE usage_hours;
    DROP TABLE usage;
    ALTER TABLE turns DROP COLUMN calls;
  `,
};
