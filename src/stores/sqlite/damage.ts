import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { damageIn } from "./sqlite-errors.ts";

/** How long a look waits for a process that writes, in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Up to this size, in bytes, every page is looked at when the file is opened: 0.4 ms a MB when the file is
 * in memory, 6 ms a MB from a cold disk. Larger files are checked by command.
 */
const CHECKED_AT_OPEN = 128 * 1024 * 1024;

/**
 * Looks for damage in the file.
 *
 * @param thorough also holds indexes against their tables, which takes about twice as long as reading the file.
 * @returns what is wrong with it; nothing when it is sound.
 */
export function findDamage(path: string, thorough: boolean): string | undefined {
  let db: DatabaseSync | undefined;
  try {
    // Read-only: when its last connection is closed, any other moves the write-ahead log into the file.
    db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    const check = thorough ? "integrity_check" : "quick_check";
    const found = db.prepare(`PRAGMA ${check}(1)`).get()?.[check];
    return found === "ok" ? undefined : String(found);
  } catch (error) {
    const damage = damageIn(error);
    if (damage === undefined) throw error;
    return damage;
  } finally {
    db?.close();
  }
}

/** @throws Error that says what to do about it, when the file is damaged; no file is none. */
export function refuseDamaged(path: string): void {
  const logSize = sizeOf(`${path}-wal`);
  const size = sizeOf(path);
  if (size === 0 && logSize === 0) return;
  const damage = size === 0 ? "it is empty" : damageOf(path, size);
  if (!damage) return;
  throw new Error(
    `The database ${path} is damaged (${damage}). It was left as it is. Copy it and the files beside it whose names begin like it; then restore a backup, or recover what can be read with: sqlite3 ${path} .recover. To start with an empty one, move those files elsewhere.`,
  );
}

function damageOf(path: string, size: number): string | undefined {
  if (size > CHECKED_AT_OPEN) return undefined;
  try {
    return findDamage(path, false);
  } catch (error) {
    throw cannotOpen(path, error);
  }
}

export function cannotOpen(path: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(
    `The database ${path} can't be opened (${reason}). Check that it is a Parley database and that this user may write to it and its folder, or set DATA_DIR to another folder.`,
    { cause },
  );
}

/** 0 when there is no such file. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
