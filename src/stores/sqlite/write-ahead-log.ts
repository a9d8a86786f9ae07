import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Waits until the disk has what was written to a file: `fs.fdatasync`. */
export type FileSync = (fd: number, done: (error: Error | null) => void) => void;

/** How often it is looked whether the database's files are where they were, in milliseconds. */
const LOOK_INTERVAL_MS = 1_000;

/**
 * Makes the commits of a database in WAL mode durable. SQLite does so itself, within COMMIT, where
 * `synchronous` is FULL, and the process stands still until the disk has answered; here it goes on meanwhile.
 * A commit is durable once a sync has ended that began after it.
 *
 * What is written to files that were removed or replaced under the process nobody would find again: it fails,
 * within a second, until they are back.
 */
export class WriteAheadLog {
  readonly #path: string;
  readonly #fd: number;
  /** The database's and the log's, as they were opened. */
  readonly #files: readonly (readonly [path: string, inode: number | undefined])[];
  /** On performance.now's clock. */
  #lookedAt = performance.now();
  readonly #fileSync: FileSync;
  /** The sync that is under way. */
  #current: Promise<void> | undefined;
  /** The one after it, for what was committed meanwhile. */
  #next: Promise<void> | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  /** @param path of the database, which has been read or written by now: that makes the log's file. */
  constructor(path: string, fileSync: FileSync = fdatasync) {
    this.#path = path;
    this.#fileSync = fileSync;
    this.#fd = openSync(`${path}-wal`, "r+");
    this.#files = [path, `${path}-wal`].map((file) => [file, inodeOf(file)]);
    syncFolder(dirname(path));
  }

  /** @throws Error when the disk has failed, from then on; or while the database's files are not where they were. */
  requireSound(): void {
    // A disk that has failed once may say next time that all is well, and have lost what was to be written.
    if (this.#failure) throw this.#failure;
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_INTERVAL_MS) return;
    if (this.#files.some(([file, inode]) => inodeOf(file) !== inode)) throw filesGone(this.#path);
    this.#lookedAt = now;
  }

  /** Resolves when all that has been committed up to now is durable. @throws Error when the disk fails, from then on. */
  sync(): Promise<void> {
    if (this.#next) return this.#next;
    if (!this.#current) return this.#begin();
    this.#next = this.#current.catch(() => undefined).then(() => this.#begin());
    return this.#next;
  }

  /** As {@link sync}, at once where nothing was committed since the last one. */
  async settled(): Promise<void> {
    await (this.#next ?? this.#current);
    if (this.#failure) throw this.#failure;
  }

  /** As {@link sync}; the process stands still. */
  syncNow(): void {
    if (this.#failure) throw this.#failure;
    fdatasyncSync(this.#fd);
  }

  /** All that has been committed is durable when this returns, unless the disk has failed. */
  close(): void {
    this.#isClosed = true;
    try {
      if (!this.#failure) fdatasyncSync(this.#fd);
    } catch (error) {
      this.#failure = error as Error;
      throw error;
    } finally {
      if (!this.#current) closeSync(this.#fd);
    }
  }

  #begin(): Promise<void> {
    this.#next = undefined;
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#isClosed) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#current = promise;
    this.#fileSync(this.#fd, (error) => {
      this.#current = undefined;
      if (this.#isClosed) closeSync(this.#fd);
      if (!error) return resolve();
      this.#failure = diskError(error);
      reject(this.#failure);
    });
    return promise;
  }
}

/** Nothing where there is no such file. */
function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function filesGone(path: string): Error {
  return new Error(
    `The database ${path}, or its log beside it (-wal), was removed or replaced while the server had it open, and what would be written now would be lost. Stop the server. Put the old files back; or, to go on with another database, move away those beside it whose names begin like it. Then start again.`,
  );
}

function diskError(error: Error): Error {
  return new Error(
    `The disk did not take what was written to the database (${error.message}), and the last of it may be lost. Check the disk, then restart the server.`,
    { cause: error },
  );
}

/** So that a file that is new in it is found again. Where a folder can't be synced, SQLite does not mind either. */
function syncFolder(path: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    fsyncSync(fd);
  } catch {
    // Such as on Windows.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
