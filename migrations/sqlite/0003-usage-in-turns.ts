import type { SqliteMigration } from "../../src/stores/sqlite/migrate.ts";

const COLUMNS = `id, principal, platform, user_id, conversation_id, turn_id, operation, provider, model,
  started_at, duration_ms, status, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost`;

/**
 * Model calls stay in their turn's row: `usage` becomes a view. What the table had until now is kept as rows
 * that no turn holds, as a restored backup's are.
 */
export const usageInTurns: SqliteMigration = {
  version: 3,
  name: "usage-in-turns",
  up: `
    ALTER TABLE usage RENAME TO detached_usage;
    -- Lines ended with a line feed.
    UPDATE turns SET calls = replace(calls, char(10), ',') WHERE calls <> '';

    CREATE VIEW usage AS
      SELECT ${COLUMNS} FROM detached_usage
      UNION ALL
      SELECT
        line.value ->> 0,
        turns.owner,
        turns.request ->> 'platform',
        turns.request ->> 'userId',
        conversations.id,
        turns.id,
        line.value ->> 2,
        line.value ->> 3,
        line.value ->> 4,
        line.value ->> 5,
        line.value ->> 6,
        iif(line.value ->> 1 = 'open', 'interrupted', line.value ->> 1),
        line.value -> 8 ->> 0,
        line.value -> 8 ->> 2,
        line.value -> 8 ->> 1,
        line.value -> 8 ->> 3,
        CAST(line.value ->> 7 AS INTEGER)
      FROM turns
        JOIN conversations ON conversations.rowid = turns.conversation,
        json_each('[' || rtrim(turns.calls, ',') || ']') AS line
      WHERE line.type = 'array' AND line.value ->> 1 <> 'unsent'
        -- Of each call the first line counts that says more than that it is open.
        AND NOT EXISTS (
          SELECT 1 FROM json_each('[' || rtrim(turns.calls, ',') || ']') AS other
          WHERE other.value ->> 0 = line.value ->> 0
            AND (other.value ->> 1 <> 'open', -other.key) > (line.value ->> 1 <> 'open', -line.key)
        );
  `,
  down: `
    INSERT INTO detached_usage (${COLUMNS})
      SELECT ${COLUMNS} FROM usage WHERE turn_id NOT IN (SELECT id FROM turns WHERE state = 'running')
      ON CONFLICT (id) DO NOTHING;
    DROP VIEW usage;
    ALTER TABLE detached_usage RENAME TO usage;
    UPDATE turns SET calls = CASE state WHEN 'running' THEN replace(calls, '],', ']' || char(10)) ELSE '' END
      WHERE calls <> '';
  `,
};
