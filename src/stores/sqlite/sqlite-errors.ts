import { storeUnavailable } from "../../core/errors.ts";

/** Primary result code SQLITE_BUSY (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
/** SQLITE_CONSTRAINT. */
const SQLITE_CONSTRAINT = 19;
const SQLITE_CONSTRAINT_UNIQUE = 2067;
/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const DAMAGE = new Set([11, 26]);

interface SqliteError {
  readonly code?: string;
  readonly errcode?: number;
  readonly message?: string;
}

/** Whether a row was refused because a unique index has one like it. */
export function isUniqueViolation(error: unknown): boolean {
  return (error as SqliteError).errcode === SQLITE_CONSTRAINT_UNIQUE;
}

/** What SQLite found wrong with the file, if it was that. */
export function damageIn(error: unknown): string | undefined {
  const { errcode, message } = error as SqliteError;
  return DAMAGE.has(primary(errcode)) ? message : undefined;
}

export function isBusy(error: unknown): boolean {
  return primary((error as SqliteError).errcode) === SQLITE_BUSY;
}

/** An extended result code's last byte is the primary one (sqlite.org/rescode.html). */
function primary(errcode = 0): number {
  return errcode & 0xff;
}

/** A broken constraint is a bug of ours; all else that SQLite reports is a store that can't serve now. */
export function storeError(error: unknown): unknown {
  const { code, errcode = 0 } = error as SqliteError;
  if (code !== "ERR_SQLITE_ERROR" || primary(errcode) === SQLITE_CONSTRAINT) return error;
  return storeUnavailable(error);
}
