import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { AppError } from "../../core/errors.ts";

/** How long a write waits for another process's, in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;
/** Primary result code SQLITE_CONSTRAINT (sqlite.org/rescode.html). */
const SQLITE_CONSTRAINT = 19;

/** Prepares a statement, once for each text. */
export type Sql = (text: string) => StatementSync;

/** The embedded database: one file, durable through a power cut once a write returns. */
export class SqliteDatabase {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #sql: Sql = (text) => {
    const known = this.#statements.get(text);
    if (known) return known;
    const statement = this.#db.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  };

  /** Opens the file, or makes it and its folder. @throws Error that says what to do about it. */
  constructor(readonly path: string) {
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      this.#db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      // In WAL mode only FULL syncs each commit (sqlite.org/pragma.html#pragma_synchronous).
      this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(
        `The database ${path} can't be opened (${reason}). Check that it is a Parley database and that its folder may be written to, or set DATA_DIR to another folder.`,
        { cause: error },
      );
    }
  }

  /** Runs `work` on the database. @throws AppError `unavailable` when SQLite fails. */
  run<T>(work: (sql: Sql) => T): T {
    try {
      return work(this.#sql);
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Runs `work` as one write transaction: all of it is durable when this returns, or none of it. */
  transaction<T>(work: (sql: Sql) => T): T {
    return this.run((sql) => {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        const result = work(sql);
        this.#db.exec("COMMIT");
        return result;
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  /** Runs SQL of several statements, such as a migration's. */
  script(text: string): void {
    this.run(() => this.#db.exec(text));
  }

  close(): void {
    this.#db.close();
  }
}

/** A broken constraint is a bug of ours; all else that SQLite reports is a store that can't serve now. */
function storeError(error: unknown): unknown {
  const sqlite = error as { code?: string; errcode?: number };
  if (sqlite.code !== "ERR_SQLITE_ERROR") return error;
  if (((sqlite.errcode ?? 0) & 0xff) === SQLITE_CONSTRAINT) return error;
  return new AppError(
    "unavailable",
    "The conversation store can't be used right now. Try again in a moment; the server's log says why.",
    { cause: error },
  );
}
