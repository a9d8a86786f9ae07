import type {
  BackupRecord,
  BackupSource,
  BackupTarget,
  RestoreBatch,
  RestoredTurn,
  StoredSession,
} from "../../backup/ports.ts";
import type { Conversation } from "../../core/chat/conversation.ts";
import type { Sql, SqliteDatabase } from "./database.ts";
import { insertRows, toRow, USAGE_COLUMNS, type UsageViewRow } from "./ledger.ts";
import {
  type ConversationRow,
  type TurnRequestColumn,
  type TurnRow,
  toConversation,
  toTurn,
} from "./rows.ts";

interface SessionRow {
  key: string;
  conversation_id: string;
  expires_at: number;
}

/**
 * Reads the embedded database as it is at one moment: all in one read transaction, whose snapshot no
 * writer can change and which holds no writer up (sqlite.org/isolation.html). The write-ahead log grows
 * until it has ended.
 */
export class SqliteBackupSource implements BackupSource {
  readonly #database: SqliteDatabase;

  /** @param database a connection that nothing else uses: the transaction is open between two records. */
  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async countTurns(): Promise<number> {
    const row = this.#database.run((sql) => sql("SELECT count(*) AS turns FROM turns").get());
    return Number(row?.turns);
  }

  async *records(): AsyncGenerator<BackupRecord> {
    this.#database.script("BEGIN");
    try {
      for (const row of this.#rows<ConversationRow>("SELECT * FROM conversations ORDER BY id")) {
        yield { type: "conversation", conversation: toConversation(row) };
        const turns = "SELECT *, ? AS conversation_id FROM turns WHERE conversation = ? ORDER BY seq";
        for (const turn of this.#rows<TurnRow>(turns, row.id, row.rowid)) {
          yield { type: "turn", turn: toTurn(turn) };
        }
      }
      for (const row of this.#rows<SessionRow>("SELECT * FROM sessions ORDER BY key")) {
        const session = { key: row.key, conversationId: row.conversation_id, expiresAt: row.expires_at };
        yield { type: "session", session };
      }
      for (const row of this.#rows<UsageViewRow>(`SELECT ${USAGE_COLUMNS} FROM usage ORDER BY id`)) {
        yield { type: "usage", row: toRow(row) };
      }
    } finally {
      this.#database.script("COMMIT");
    }
  }

  /** One row at a time. */
  #rows<Row>(text: string, ...values: (string | number)[]): Iterable<Row> {
    return this.#database.run((sql) => sql(text).iterate(...values)) as Iterable<unknown> as Iterable<Row>;
  }
}

/** Restores into the embedded database; each batch is one transaction. */
export class SqliteBackupTarget implements BackupTarget {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async isEmpty(): Promise<boolean> {
    const row = this.#database.run((sql) =>
      sql(
        `SELECT EXISTS (SELECT 1 FROM conversations) OR EXISTS (SELECT 1 FROM turns)
           OR EXISTS (SELECT 1 FROM sessions) OR EXISTS (SELECT 1 FROM detached_usage) AS filled`,
      ).get(),
    );
    return row?.filled === 0;
  }

  async clear(): Promise<void> {
    this.#database.transaction((sql) => {
      for (const table of ["usage_hours", "detached_usage", "sessions", "turns", "conversations"]) {
        sql(`DELETE FROM ${table}`).run();
      }
    });
  }

  async insert({ conversations, turns, sessions, usage }: RestoreBatch): Promise<void> {
    this.#database.transaction((sql) => {
      for (const conversation of conversations) insertConversation(sql, conversation);
      for (const { turn } of turns) insertTurn(sql, turn);
      for (const session of sessions) insertSession(sql, session);
      insertRows(sql, usage);
    });
  }
}

function insertConversation(sql: Sql, conversation: Conversation): void {
  sql(
    `INSERT INTO conversations (id, owner, title, title_state, turn_count, message_count, created_at, updated_at)
     VALUES (:id, :owner, :title, :titleState, :turnCount, :messageCount, :createdAt, :updatedAt)`,
  ).run({ ...conversation });
}

function insertTurn(sql: Sql, turn: RestoredTurn["turn"]): void {
  const { user, userLocale, platform, userId } = turn;
  const request: TurnRequestColumn = { user, userLocale, platform, userId };
  sql(
    `INSERT INTO turns (conversation, seq, id, owner, idempotency_key, request_hash, message_offset,
       request, steps, state, outcome, attempts, created_at, updated_at)
     VALUES ((SELECT rowid FROM conversations WHERE id = :conversationId), :seq, :id, :owner,
       :idempotencyKey, :requestHash, :messageOffset, :request, :steps, :state, :outcome, :attempts,
       :createdAt, :updatedAt)`,
  ).run({
    conversationId: turn.conversationId,
    seq: turn.seq,
    id: turn.id,
    owner: turn.owner,
    idempotencyKey: turn.idempotencyKey ?? null,
    requestHash: turn.requestHash,
    messageOffset: turn.messageOffset,
    request: JSON.stringify(request),
    steps: JSON.stringify(turn.steps),
    state: turn.state,
    outcome: JSON.stringify(turn.state === "completed" ? turn.reply : turn.error),
    attempts: turn.attempts,
    createdAt: turn.createdAt,
    updatedAt: turn.updatedAt,
  });
}

function insertSession(sql: Sql, { key, conversationId, expiresAt }: StoredSession): void {
  sql("INSERT INTO sessions (key, conversation_id, expires_at) VALUES (?, ?, ?)").run(
    key,
    conversationId,
    expiresAt,
  );
}
