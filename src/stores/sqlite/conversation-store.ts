import type { Step } from "../../core/assistant/step.ts";
import {
  type Conversation,
  conversationNotFound,
  type NewConversation,
} from "../../core/chat/conversation.ts";
import type {
  BeginOutcome,
  ConversationStore,
  ListPosition,
  PlacedStep,
} from "../../core/chat/conversation-store.ts";
import type { Lease, NewTurn, RunningTurn, Turn, TurnRef, TurnState } from "../../core/chat/turn.ts";
import type { Id } from "../../core/ids.ts";
import type { ModelCall } from "../../core/ledger/model-call.ts";
import type { AtEnd, Sql, SqliteDatabase } from "./database.ts";
import { callLines, notSummedUp, SUMMED_UP_LINE, sumUp, type TurnLog } from "./ledger.ts";
import {
  type ConversationRow,
  type TurnRequestColumn,
  type TurnRow,
  toConversation,
  toRunningTurn,
  toTurn,
} from "./rows.ts";
import { isUniqueViolation } from "./sqlite-errors.ts";

const SELECT_TURN = `
  SELECT turns.*, conversations.id AS conversation_id
  FROM turns JOIN conversations ON conversations.rowid = turns.conversation`;

// What each turn runs is put together here, once: statements are found by their text, and a text that is put
// together anew has to be looked at letter by letter. Values are numbered, since names are looked up one by one
// each time. In the parts below ?1 and ?2 are a turn's address, ?3 its holder, ?4 a step's index and ?5 the step,
// if there is one. Nothing is RETURNED where that can be helped: SQLite makes a table for it.

const THIS_TURN = "conversation = (SELECT rowid FROM conversations WHERE id = ?1) AND seq = ?2";
const HELD = "state = 'running' AND lease_holder = ?3";
/** A new step goes behind the others as text, which ends in "}]". */
const PUT_STEP = `
  steps = CASE
    WHEN ?5 IS NULL THEN steps
    WHEN steps = '[]' THEN '[' || ?5 || ']'
    WHEN json_array_length(steps) > ?4 THEN json_set(steps, '$[' || CAST(?4 AS INTEGER) || ']', json(?5))
    ELSE rtrim(steps, ']') || ',' || ?5 || ']'
  END`;
/** Neither a first step nor none leaves one. */
const NO_GAP = "(ifnull(?4, 0) = 0 OR json_array_length(steps) >= ?4)";
const INSERT_TURN = `
  INSERT INTO turns (conversation, seq, id, owner, idempotency_key, request_hash, message_offset,
    request, calls, state, lease_holder, lease_expires_at, created_at, updated_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'running', ?10, ?11, ?12, ?12)`;
const COUNT_TURN =
  "UPDATE conversations SET turn_count = ?, message_count = ?, updated_at = ? WHERE rowid = ?";
const SAVE_STEP = `
  UPDATE turns SET ${PUT_STEP}, calls = calls || ?6, updated_at = ?7
  WHERE ${THIS_TURN} AND ${HELD} AND ${NO_GAP}`;
const TURN_LOG = "turns.id, owner, request, calls";
const FIND_HELD_TURN = `
  SELECT turns.rowid, conversation, ${TURN_LOG} FROM turns WHERE ${THIS_TURN} AND ${HELD}`;
/** Of the turn that was found: ?1 is its row, ?2 the state and ?3 the outcome. */
const END_TURN = `
  UPDATE turns SET ${PUT_STEP}, state = ?2, outcome = ?3, lease_holder = NULL,
    lease_expires_at = NULL, calls = calls || ?6, updated_at = ?7
  WHERE rowid = ?1 AND ${NO_GAP}`;
const COUNT_REPLY = `
  UPDATE conversations SET message_count = message_count + 1, updated_at = max(updated_at, ?) WHERE rowid = ?`;
const RENEW_LEASE = `UPDATE turns SET lease_expires_at = ?4 WHERE ${THIS_TURN} AND ${HELD}`;
const FIND_TURN = `${SELECT_TURN} WHERE ${THIS_TURN}`;
const FIND_TURN_BY_KEY = `${SELECT_TURN} WHERE turns.owner = ? AND idempotency_key = ?`;
const LIST_TURNS = `
  ${SELECT_TURN} WHERE conversations.id = ? AND seq BETWEEN ? AND ? ORDER BY turns.conversation, seq`;
const TAKE_CALLS_DOWN = `
  UPDATE turns SET calls = calls || ?3 || iif(state = 'running', '', '${SUMMED_UP_LINE}')
  WHERE ${THIS_TURN} RETURNING state, ${TURN_LOG}`;

/** Conversations in the embedded database. A turn is one row; its steps are a JSON array in it. */
export class SqliteConversationStore implements ConversationStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async beginTurn(
    turn: NewTurn,
    ifMissing?: NewConversation,
    calls: readonly ModelCall[] = [],
  ): Promise<BeginOutcome> {
    const outcome = await this.#database.write((sql): BeginOutcome | undefined => {
      const made = ifMissing && sql(FIND_TURN_BY_KEY).get(...keyOf(turn));
      if (made) return { type: "duplicate", turn: toTurn(made as unknown as TurnRow) };
      if (ifMissing) insertConversation(sql, ifMissing);
      const conversation = conversationRow(sql, turn.owner, turn.conversationId);
      // Not thrown within: a write that fails has those that share its transaction made again.
      if (!conversation) return undefined;
      try {
        return insertTurn(sql, conversation, turn, calls);
      } catch (error) {
        const inTheWay = isUniqueViolation(error) && turnInTheWay(sql, conversation, turn);
        if (inTheWay) return inTheWay;
        throw error;
      }
    });
    if (!outcome) throw conversationNotFound();
    return outcome;
  }

  saveStep(
    ref: TurnRef,
    holder: string,
    index: number,
    step: Step,
    now: number,
    calls: readonly ModelCall[] = [],
  ): Promise<boolean> {
    const text = JSON.stringify(step);
    return this.#update(SAVE_STEP, [...address(ref), holder, index, text, callLines(calls), now]);
  }

  endTurn(
    ref: TurnRef,
    holder: string,
    outcome: Exclude<TurnState, { state: "running" }>,
    now: number,
    calls: readonly ModelCall[] = [],
    lastStep?: PlacedStep,
  ): Promise<boolean> {
    return this.#database.write((sql, atEnd) => {
      const found = sql(FIND_HELD_TURN).get(...address(ref), holder);
      if (!found) return false;
      const turn = found as unknown as TurnLog & { rowid: number; conversation: number };
      const lines = callLines(calls) + SUMMED_UP_LINE;
      const { changes } = sql(END_TURN).run(
        turn.rowid,
        outcome.state,
        JSON.stringify(outcome.state === "completed" ? outcome.reply : outcome.error),
        lastStep ? lastStep.index : null,
        lastStep ? JSON.stringify(lastStep.step) : null,
        lines,
        now,
      );
      if (changes === 0) return false;
      turn.calls += lines;
      atEnd(sumUp, notSummedUp(turn, ref.conversationId));
      if (outcome.state === "completed") sql(COUNT_REPLY).run(now, turn.conversation);
      return true;
    });
  }

  async recordCalls(ref: TurnRef, calls: readonly ModelCall[]): Promise<void> {
    await this.#database.write((sql, atEnd) => takeDown(sql, atEnd, ref, calls));
  }

  renewLease(ref: TurnRef, holder: string, expiresAt: number): Promise<boolean> {
    return this.#update(RENEW_LEASE, [...address(ref), holder, expiresAt]);
  }

  takeOverTurn(ref: TurnRef, lease: Lease, now: number): Promise<RunningTurn | undefined> {
    const expired = "state = 'running' AND lease_expires_at <= ?5";
    return this.#setRunning(ref, lease, now, expired, "attempts + 1", []);
  }

  reopenTurn(ref: TurnRef, updatedAt: number, lease: Lease, now: number): Promise<RunningTurn | undefined> {
    const lastAndUnchanged = `state = 'failed' AND updated_at = ?6
       AND seq = (SELECT turn_count FROM conversations WHERE id = ?1)`;
    return this.#setRunning(ref, lease, now, lastAndUnchanged, "1", [updatedAt]);
  }

  listExpiredTurns(now: number, limit: number): Promise<TurnRef[]> {
    return this.#database.read((sql) => {
      const rows = sql(
        `${SELECT_TURN} WHERE state = 'running' AND lease_expires_at <= ? ORDER BY lease_expires_at LIMIT ?`,
      ).all(now, limit) as unknown as TurnRow[];
      return rows.map(({ conversation_id, seq }) => ({ conversationId: conversation_id, seq }));
    });
  }

  findTurn(ref: TurnRef): Promise<Turn | undefined> {
    return this.#turn(FIND_TURN, address(ref));
  }

  findTurnByKey(owner: string, idempotencyKey: string): Promise<Turn | undefined> {
    return this.#turn(FIND_TURN_BY_KEY, keyOf({ owner, idempotencyKey }));
  }

  listTurns(conversationId: Id, fromSeq: number, toSeq: number): Promise<Turn[]> {
    return this.#database.read((sql) => {
      const rows = sql(LIST_TURNS).all(conversationId, fromSeq, toSeq) as unknown as TurnRow[];
      return rows.map(toTurn);
    });
  }

  findConversation(owner: string, id: Id): Promise<Conversation | undefined> {
    return this.#database.read((sql) => {
      const row = conversationRow(sql, owner, id);
      return row && toConversation(row);
    });
  }

  listConversations(owner: string, limit: number, after?: ListPosition): Promise<Conversation[]> {
    return this.#database.read((sql) => {
      // The limit is in the text: SQLite plans a query anew each time that one is bound to it.
      const rows = sql(
        `SELECT * FROM conversations WHERE owner = ? AND (created_at, id) < (?, ?)
           ORDER BY created_at DESC, id DESC LIMIT ${limit}`,
      ).all(
        owner,
        after?.createdAt ?? Number.MAX_SAFE_INTEGER,
        after?.id ?? "",
      ) as unknown as ConversationRow[];
      return rows.map(toConversation);
    });
  }

  async setTitle(ref: TurnRef, title: string, calls: readonly ModelCall[] = []): Promise<void> {
    await this.#database.write((sql, atEnd) => {
      sql(
        "UPDATE conversations SET title = ?, title_state = 'final' WHERE id = ? AND title_state = 'pending'",
      ).run(title, ref.conversationId);
      takeDown(sql, atEnd, ref, calls);
    });
  }

  async ping(): Promise<void> {
    await this.#database.read((sql) => sql("SELECT 1 FROM conversations LIMIT 1").get());
  }

  #update(text: string, values: Values): Promise<boolean> {
    return this.#database.write((sql) => sql(text).run(...values).changes > 0);
  }

  #turn(text: string, values: Values): Promise<Turn | undefined> {
    return this.#database.read((sql) => {
      const row = sql(text).get(...values);
      return row && toTurn(row as unknown as TurnRow);
    });
  }

  #setRunning(
    ref: TurnRef,
    lease: Lease,
    now: number,
    condition: string,
    attempts: string,
    more: Values,
  ): Promise<RunningTurn | undefined> {
    return this.#database.write((sql) => {
      const { changes } = sql(
        `UPDATE turns SET state = 'running', outcome = NULL, lease_holder = ?3, lease_expires_at = ?4,
             attempts = ${attempts}, updated_at = ?5
           WHERE ${THIS_TURN} AND ${condition}`,
      ).run(...address(ref), lease.holder, lease.expiresAt, now, ...more);
      if (changes === 0) return undefined;
      const row = sql(FIND_TURN).get(...address(ref));
      return toRunningTurn(row as unknown as TurnRow);
    });
  }
}

type Values = readonly (string | number | null)[];

function address({ conversationId, seq }: TurnRef): Values {
  return [conversationId, seq];
}

/** No turn has the key of a request without one. */
function keyOf({ owner, idempotencyKey }: Pick<NewTurn, "owner" | "idempotencyKey">): Values {
  return [owner, idempotencyKey ?? null];
}

function insertConversation(sql: Sql, conversation: NewConversation): void {
  sql(
    `INSERT INTO conversations (id, owner, title, title_state, turn_count, message_count, created_at, updated_at)
     VALUES (:id, :owner, :title, 'pending', 0, 0, :createdAt, :createdAt)
     ON CONFLICT (id) DO NOTHING`,
  ).run({ ...conversation });
}

function conversationRow(sql: Sql, owner: string, id: Id): ConversationRow | undefined {
  const row = sql("SELECT * FROM conversations WHERE id = ? AND owner = ?").get(id, owner);
  return row as unknown as ConversationRow | undefined;
}

/** What keeps a turn from being added: the one that its key made, or one that still runs. */
function turnInTheWay(sql: Sql, { rowid }: ConversationRow, turn: NewTurn): BeginOutcome | undefined {
  const duplicate = sql(`${SELECT_TURN} WHERE conversation = ? AND idempotency_key = ?`).get(
    rowid,
    turn.idempotencyKey ?? null,
  );
  if (duplicate) return { type: "duplicate", turn: toTurn(duplicate as unknown as TurnRow) };
  const running = sql(`${SELECT_TURN} WHERE conversation = ? AND state = 'running'`).get(rowid);
  return running && { type: "busy", running: toRunningTurn(running as unknown as TurnRow) };
}

/** Adds calls to a turn's, and to the sums once it has ended. */
function takeDown(sql: Sql, atEnd: AtEnd, ref: TurnRef, calls: readonly ModelCall[]): void {
  if (calls.length === 0) return;
  const turn = sql(TAKE_CALLS_DOWN).get(...address(ref), callLines(calls));
  if (!turn || turn.state === "running") return;
  atEnd(sumUp, notSummedUp(turn as unknown as TurnLog, ref.conversationId));
}

function insertTurn(
  sql: Sql,
  conversation: ConversationRow,
  turn: NewTurn,
  calls: readonly ModelCall[],
): BeginOutcome {
  const made = calls.filter(
    ({ operation }) => operation !== "title" || conversation.title_state === "pending",
  );
  const seq = conversation.turn_count + 1;
  const messageOffset = conversation.message_count;
  const { user, userLocale, platform, userId } = turn;
  const request: TurnRequestColumn = { user, userLocale, platform, userId };
  sql(INSERT_TURN).run(
    conversation.rowid,
    seq,
    turn.id,
    turn.owner,
    turn.idempotencyKey ?? null,
    turn.requestHash,
    messageOffset,
    JSON.stringify(request),
    callLines(made),
    turn.lease.holder,
    turn.lease.expiresAt,
    turn.createdAt,
  );
  const messageCount = messageOffset + 1;
  const updatedAt = Math.max(conversation.updated_at, turn.createdAt);
  sql(COUNT_TURN).run(seq, messageCount, updatedAt, conversation.rowid);
  return {
    type: "begun",
    conversation: { ...toConversation(conversation), turnCount: seq, messageCount, updatedAt },
    turn: {
      ...turn,
      seq,
      messageOffset,
      steps: [],
      attempts: 1,
      state: "running",
      updatedAt: turn.createdAt,
    },
  };
}
