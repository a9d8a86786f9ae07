import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

/** Waits until the disk has what was written to a file: `fs.fdatasync`. */
export type FileSync = (fd: number, done: (error: Error | null) => void) => void;

/**
 * Makes the commits of a database in WAL mode durable. SQLite does so itself, within COMMIT, where
 * `synchronous` is FULL, and the process stands still until the disk has answered; here it goes on meanwhile.
 * A commit is durable once a sync has ended that began after it.
 */
export class WriteAheadLog {
  readonly #fd: number;
  readonly #fileSync: FileSync;
  /** The sync that is under way. */
  #current: Promise<void> | undefined;
  /** The one after it, for what was committed meanwhile. */
  #next: Promise<void> | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  /** @param path of the database, which has been read or written by now: that makes the log's file. */
  constructor(path: string, fileSync: FileSync = fdatasync) {
    this.#fileSync = fileSync;
    this.#fd = openSync(`${path}-wal`, "r+");
    syncFolder(dirname(path));
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
    // A disk that has failed once may say next time that all is well, and have lost what was to be written.
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
