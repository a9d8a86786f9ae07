import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { AppError, storeUnavailable } from "../../core/errors.ts";
import { Checkpointer } from "./checkpointer.ts";
import { cannotOpen, refuseDamaged } from "./damage.ts";
import { isBusy, storeError } from "./sqlite-errors.ts";
import { type FileSync, WriteAheadLog } from "./write-ahead-log.ts";

/** How long a write waits for another process's, in milliseconds; the whole process waits with it. */
const BUSY_TIMEOUT_MS = 5_000;

/** Prepares a statement, once for each text. */
export type Sql = (text: string) => StatementSync;

/** Work for a whole transaction, which is given what its writes said. */
type Together<Item> = (sql: Sql, items: readonly Item[]) => void;
/** Has `work` run once at the end of the transaction, with what all of its writes gave for it. */
export type AtEnd = <Item>(work: Together<Item>, items: readonly Item[]) => void;

/** Of the log, in pages of 4 KiB, before SQLite does what the {@link Checkpointer} should have done. */
const MAX_LOG_PAGES = 16_000;

/** Writes of one commit at most: while they are made, the event loop stands still. */
const MAX_GROUP = 128;

interface Write {
  /** Makes it, inside a transaction. Returns what to do once that is durable. */
  readonly make: (sql: Sql, atEnd: AtEnd) => () => void;
  readonly fail: (error: unknown) => void;
}

interface Read {
  /** Makes it, inside a transaction. Returns what to do once what it found is known to be durable. */
  readonly find: (sql: Sql) => () => void;
  readonly fail: (error: unknown) => void;
}

export interface SqliteOptions {
  /** How long a write waits for another process's, in milliseconds. */
  readonly busyTimeoutMs?: number;
  /** Whether no other program may have the file open, from now until it is closed; nobody is waited for. Default false. */
  readonly alone?: boolean;
  /** See {@link WriteAheadLog}. */
  readonly fileSync?: FileSync;
}

/**
 * The embedded database: one file. What a write has resolved with, or a read has found, is durable through
 * a power cut.
 */
export class SqliteDatabase {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #busyTimeoutMs: number;
  readonly #fileSync: FileSync | undefined;
  /** Set once commits are made durable here, and no more by SQLite itself. */
  #log: WriteAheadLog | undefined;
  readonly #checkpointer: Checkpointer;
  #reads: Read[] = [];
  /** The last state that other connections made which is known to be durable. */
  #durableVersion: unknown;
  /** Whether a write waits for those of other processes. */
  #patient = true;
  #waiting: Write[] = [];
  readonly #sql: Sql = (text) => {
    const known = this.#statements.get(text);
    if (known) return known;
    const statement = this.#db.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  };

  /**
   * Opens the file, or makes it and its folder. A damaged file is refused and left as it is.
   *
   * @throws Error that says what to do about it.
   */
  constructor(
    readonly path: string,
    { busyTimeoutMs = BUSY_TIMEOUT_MS, alone = false, fileSync }: SqliteOptions = {},
  ) {
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#fileSync = fileSync;
    this.#checkpointer = new Checkpointer(path);
    refuseDamaged(path);
    let db: DatabaseSync | undefined;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      // SQLite opens a file that can only be read, and says so at the first write.
      if (existsSync(path)) accessSync(path, constants.W_OK);
      db = new DatabaseSync(path, { timeout: alone ? 0 : busyTimeoutMs });
      // Before the first look into the file (sqlite.org/wal.html#use_of_wal_without_shared_memory).
      if (alone) db.exec("PRAGMA locking_mode = EXCLUSIVE");
      // In WAL mode only FULL syncs each commit.
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
      this.#db = db;
    } catch (error) {
      db?.close();
      throw alone && isBusy(error) ? inUse(path, error) : cannotOpen(path, error);
    }
  }

  /**
   * Runs `work`, which reads, when the event loop comes round. What it found is durable when this resolves,
   * whoever wrote it.
   *
   * @throws what `work` throws; AppError `unavailable` when SQLite fails.
   */
  read<T>(work: (sql: Sql) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const find: Read["find"] = (sql) => {
        const found = work(sql);
        return () => resolve(found);
      };
      this.#reads.push({ find, fail: (error) => reject(storeError(error)) });
      if (this.#reads.length === 1) setImmediate(() => this.#readTogether());
    });
  }

  /** The locks of a transaction, and the look whether what was found is durable, cost as much as a query each. */
  async #readTogether(): Promise<void> {
    const reads = this.#reads;
    this.#reads = [];
    try {
      const { settled, version } = this.#findAll(reads);
      await this.#untilDurable(version);
      for (const settle of settled) settle();
    } catch (error) {
      const failure = error instanceof AppError ? error : storeUnavailable(error);
      for (const { fail } of reads) fail(failure);
    }
  }

  /** All in one transaction, with the version of the database that it saw. One that fails leaves the others be. */
  #findAll(reads: readonly Read[]): { settled: (() => void)[]; version: unknown } {
    this.#sql("BEGIN").run();
    try {
      const settled = reads.map(({ find, fail }) => {
        try {
          return find(this.#sql);
        } catch (error) {
          return () => fail(error);
        }
      });
      // It changes with what other connections commit (sqlite.org/pragma.html#pragma_data_version).
      return { settled, version: this.#sql("PRAGMA data_version").get()?.data_version };
    } finally {
      if (this.#db.isTransaction) this.#sql("COMMIT").run();
    }
  }

  /** Resolves when all that a transaction could see which saw that version is durable. */
  async #untilDurable(version: unknown): Promise<void> {
    const log = this.#ownLog();
    if (version === this.#durableVersion) return await log.settled();
    await log.sync();
    this.#durableVersion = version;
  }

  /** Runs `work` on the database. @throws AppError `unavailable` when SQLite fails. */
  run<T>(work: (sql: Sql) => T): T {
    try {
      return work(this.#sql);
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * Runs `work`: all of it is durable when this resolves, or none of it. It shares a commit, and the sync of
   * the disk after it, with the other writes that are asked for before the event loop comes round and the sync
   * before has ended.
   *
   * @param work may be run twice, when a write that shares its commit fails: it changes nothing but the
   *   database, and throws where a statement has failed with more than a broken constraint.
   * @throws what `work` throws; AppError `unavailable` when SQLite fails.
   */
  write<T>(work: (sql: Sql, atEnd: AtEnd) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const make: Write["make"] = (sql, atEnd) => {
        const result = work(sql, atEnd);
        return () => resolve(result);
      };
      this.#waiting.push({ make, fail: (error) => reject(storeError(error)) });
      if (this.#waiting.length === 1) setImmediate(() => this.#commitNext());
    });
  }

  /** While a sync is under way more writes gather: they would only wait for the one after it. */
  async #commitNext(): Promise<void> {
    await this.#log?.settled().catch(() => undefined);
    this.#commitGroup();
  }

  #commitGroup(): void {
    const group = this.#waiting.slice(0, MAX_GROUP);
    this.#waiting = this.#waiting.slice(MAX_GROUP);
    if (this.#waiting.length > 0) setImmediate(() => this.#commitNext());
    if (group.length === 0) return;
    const failAll = (error: unknown) => {
      for (const { fail } of group) fail(error);
    };
    try {
      const log = this.#ownLog();
      const settled = this.#makeGroup(group);
      this.#checkpointer.committed(group.length);
      log.sync().then(
        () => {
          for (const settle of settled) settle();
        },
        (error) => failAll(storeUnavailable(error)),
      );
    } catch (error) {
      failAll(error);
    }
  }

  /** @throws AppError `unavailable` where what is written would not be durable. */
  #ownLog(): WriteAheadLog {
    try {
      this.#log ??= this.#takeLogOver();
      this.#log.requireSound();
      return this.#log;
    } catch (error) {
      throw storeUnavailable(error);
    }
  }

  #takeLogOver(): WriteAheadLog {
    // In WAL mode NORMAL leaves the syncs of commits out (sqlite.org/pragma.html#pragma_synchronous). What
    // was committed before was synced by SQLite.
    this.#db.exec(`PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${MAX_LOG_PAGES}`);
    return new WriteAheadLog(this.path, this.#fileSync);
  }

  /**
   * Makes writes in one transaction. Those that fail leave the others as they are: next to none does, and a
   * savepoint copies each page that is written after it, so writes have theirs only once one has failed.
   */
  #makeGroup(group: readonly Write[]): (() => void)[] {
    try {
      return this.#inTransaction((sql) => makeAll(sql, group, ({ make }, atEnd) => make(sql, atEnd)));
    } catch (error) {
      if (group.length === 1) throw error;
      // Where it is SQLite that fails, it does so again, and at once: see #begin.
      return this.#inTransaction((sql) =>
        makeAll(sql, group, (write, atEnd) => this.#makeApart(sql, write, atEnd)),
      );
    }
  }

  /** Makes one write of a transaction; one that fails leaves the others as they are. */
  #makeApart(sql: Sql, { make, fail }: Write, atEnd: AtEnd): () => void {
    const given: [Together<never>, readonly unknown[]][] = [];
    sql("SAVEPOINT one").run();
    try {
      const settle = make(sql, (work, items) => given.push([work, items]));
      sql("RELEASE one").run();
      for (const [work, items] of given) atEnd(work, items as never[]);
      return settle;
    } catch (error) {
      // Some failures, such as a full disk, have already taken the whole transaction back.
      if (!this.#db.isTransaction) throw error;
      sql("ROLLBACK TO one").run();
      sql("RELEASE one").run();
      return () => fail(error);
    }
  }

  /** Runs `work` as one write transaction: all of it is durable when this returns, or none of it. */
  transaction<T>(work: (sql: Sql) => T): T {
    const result = this.#inTransaction(work);
    this.#log?.syncNow();
    return result;
  }

  #inTransaction<T>(work: (sql: Sql) => T): T {
    return this.run((sql) => {
      this.#begin();
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

  /**
   * Waits for the writes of other processes; not again after it has waited in vain, until they let one
   * through: whoever keeps the lock is not to make this process stand still for each of its writes.
   */
  #begin(): void {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      this.#setPatience(true);
    } catch (error) {
      if (isBusy(error)) this.#setPatience(false);
      throw error;
    }
  }

  #setPatience(patient: boolean): void {
    if (patient === this.#patient) return;
    this.#db.exec(`PRAGMA busy_timeout = ${patient ? this.#busyTimeoutMs : 0}`);
    this.#patient = patient;
  }

  /** Runs SQL of several statements, such as a migration's. */
  script(text: string): void {
    this.run(() => this.#db.exec(text));
  }

  /** Makes the writes that wait. Reads that are under way fail. */
  close(): void {
    while (this.#waiting.length > 0) this.#commitGroup();
    const isBeingMoved = this.#checkpointer.close();
    try {
      this.#log?.close();
    } finally {
      // As closing the last connection does, but the thread still has one.
      if (isBeingMoved) this.#emptyLog();
      this.#db.close();
    }
  }

  /** Waits for whoever moves it. What can't be moved stays, and is found when the file is opened. */
  #emptyLog(): void {
    try {
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Such as on a full disk.
    }
  }
}

/** Makes each write by `makeOne`, and what they want done together after them. */
function makeAll(
  sql: Sql,
  group: readonly Write[],
  makeOne: (write: Write, atEnd: AtEnd) => () => void,
): (() => void)[] {
  const together = new Map<Together<never>, unknown[]>();
  const atEnd: AtEnd = (work, items) => {
    const all = together.get(work) ?? [];
    all.push(...items);
    together.set(work, all);
  };
  const settled = group.map((write) => makeOne(write, atEnd));
  for (const [work, items] of together) work(sql, items as never[]);
  return settled;
}

function inUse(path: string, cause: unknown): Error {
  return new Error(
    `The database ${path} has to be changed by one program alone, and another has it open. Stop the server that uses it, then try again.`,
    { cause },
  );
}
