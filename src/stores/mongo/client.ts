import { isNativeError } from "node:util/types";
import {
  type Collection,
  type Db,
  MongoClient,
  type MongoClientOptions,
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoWriteConcernError,
  type OptionalUnlessRequiredId,
  ReadConcern,
} from "mongodb";
import { storeUnavailable } from "../../core/errors.ts";
import { Heartbeats } from "./heartbeats.ts";

export interface MongoOptions extends Pick<MongoClientOptions, "maxPoolSize" | "monitorCommands"> {
  /** `mongodb://…` or `mongodb+srv://…`. Without a database in its path, that is `parley`. */
  readonly uri: string;
  /**
   * How long one call of a store may take, in milliseconds: finding a server, connecting, and all of
   * its commands together. Default 2,500.
   */
  readonly timeoutMs?: number;
  /** What the server's log and profiler show. Default `parley`. */
  readonly appName?: string;
}

/** MongoDB's `DuplicateKey`. */
export const DUPLICATE_KEY = 11_000;
/** Writes that the schema forbids: MongoDB's `DocumentValidationFailure`, and DocumentDB's code for it. */
const REFUSED = new Set<unknown>([DUPLICATE_KEY, 121, 525_074_461]);
/** Of a call's time, what one step of the driver may take: so its error, which says more, comes first. */
const DRIVER_SHARE = 0.9;

/** The database on a MongoDB server, a cluster or a FerretDB; it connects when it is first used. */
export class MongoDatabase {
  readonly client: MongoClient;
  readonly db: Db;
  readonly #timeoutMs: number;
  readonly #heartbeats: Heartbeats;
  readonly #atWork = new Set<Promise<unknown>>();
  #disconnecting: Promise<void> | undefined;
  #closed = false;

  /** @throws Error when the URI can't be understood. */
  constructor({ uri, timeoutMs = 2_500, appName = "parley", ...options }: MongoOptions) {
    const driverMs = Math.ceil(timeoutMs * DRIVER_SHARE);
    this.#timeoutMs = timeoutMs;
    this.client = newClient(uri, {
      ...options,
      appName,
      serverSelectionTimeoutMS: driverMs,
      connectTimeoutMS: driverMs,
      waitQueueTimeoutMS: driverMs,
      socketTimeoutMS: driverMs,
      ignoreUndefined: true,
    });
    this.#heartbeats = new Heartbeats(this.client);
    // A write that is answered is on the disks of most members, and only such writes are read: what a
    // caller was told once stays so after a failover. Set here, as the URI's parameters outdo the client's.
    this.db = this.client.db(databaseName(uri), {
      writeConcern: { w: "majority", journal: true },
      readConcern: new ReadConcern("majority"),
      readPreference: "primary",
    });
  }

  /**
   * Runs the commands of one call. Once the call's time is up `signal` aborts: reads take it as their
   * option, and no write is begun after it.
   *
   * @throws AppError `unavailable` when MongoDB fails, or has not answered in time: a write may then
   *   have been done or not.
   */
  async run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const timeout = new AbortController();
    const { promise: timedOut, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const error = new Error(`MongoDB did not answer within ${this.#timeoutMs} ms`);
      reject(storeUnavailable(error));
      timeout.abort(error);
    }, this.#timeoutMs);
    let outcome: Promise<T> | undefined;
    try {
      await Promise.race([this.#connected(), timedOut]);
      outcome = Promise.race([work(timeout.signal), timedOut]);
      this.#atWork.add(outcome);
      return await outcome;
    } catch (error) {
      throw storeError(error);
    } finally {
      clearTimeout(timer);
      if (outcome) this.#atWork.delete(outcome);
    }
  }

  /** As `run`, for commands that may as well be sent twice: once more when a connection breaks. */
  read<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.run((signal) => repeatable(() => work(signal), signal));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.client.close();
  }

  /** The driver connects by itself too, but after one failure to do so never again. */
  async #connected(): Promise<void> {
    if (this.#closed) throw storeUnavailable(new Error("The MongoDB client is closed"));
    if (this.#heartbeats.stuck) {
      this.#disconnecting ??= this.#disconnect().finally(() => {
        this.#disconnecting = undefined;
      });
    }
    await this.#disconnecting;
    await this.client.connect();
  }

  /** Not under calls that are at work: a cursor that is closed under its reader ends as if it had no more. */
  async #disconnect(): Promise<void> {
    await Promise.allSettled(this.#atWork);
    await this.client.close();
  }
}

export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}

/** Whether a write that failed so may have been done all the same, now or in a moment. */
function isAnswerLost(error: unknown): boolean {
  return (
    isSocketError(error) ||
    error instanceof MongoNetworkError ||
    error instanceof MongoWriteConcernError ||
    (error instanceof MongoError && error.hasErrorLabel("RetryableWriteError"))
  );
}

/** The driver lets some errors of a socket that the server has closed through as Node.js throws them. */
function isSocketError(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return (
    error instanceof Error && typeof code === "string" && /^(EPIPE|ECONN|ETIMEDOUT|ERR_STREAM_)/.test(code)
  );
}

/** The driver asks DNS for the servers of a mongodb+srv URI itself, and lets its errors through. */
function isLookupError(error: unknown): boolean {
  return isNativeError(error) && String((error as NodeJS.ErrnoException).syscall).startsWith("query");
}

/**
 * What a server says that has taken a write back for another one's sake: WriteConflict, and of FerretDB
 * PostgreSQL's SQLSTATEs 40P01 (deadlock detected) and 40001 (serialization failure), six bits a character.
 */
const CONFLICTS: ReadonlySet<unknown> = new Set([112, 16_908_292, 16_777_220]);
/** Each time one of those that were in each other's way gets through. */
const MAX_CONFLICTS = 3;

/**
 * Runs a command that has the same effect and outcome when it is done twice; again when its answer is lost,
 * or when the server has taken it back because of others.
 */
export async function repeatable<T>(command: () => Promise<T>, signal: AbortSignal): Promise<T> {
  let lost = 0;
  let conflicts = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await command();
    } catch (error) {
      const conflict = error instanceof MongoError && CONFLICTS.has(error.code);
      const again = conflict ? ++conflicts <= MAX_CONFLICTS : isAnswerLost(error) && ++lost === 1;
      if (!again) throw error;
    }
  }
}

/**
 * Inserts, and finds nothing wrong in not being able to. It stands in place of findOneAndUpdate's upsert,
 * which on FerretDB can overwrite what somebody else has inserted in the same moment.
 *
 * @returns whether the document was inserted; if not, it may stand all the same, or another in its place.
 */
export async function insert<T extends { _id: string }>(
  collection: Collection<T>,
  document: OptionalUnlessRequiredId<T>,
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  try {
    await collection.insertOne(document);
    return true;
  } catch (error) {
    if (isDuplicateKey(error) || isAnswerLost(error)) return false;
    throw error;
  }
}

/** A write that the schema forbids is a bug of ours; all else is a store that can't serve now. */
function storeError(error: unknown): unknown {
  if (error instanceof MongoError && !REFUSED.has(error.code)) return storeUnavailable(error);
  return isSocketError(error) || isLookupError(error) ? storeUnavailable(error) : error;
}

function newClient(uri: string, options: MongoClientOptions): MongoClient {
  try {
    return new MongoClient(uri, options);
  } catch (error) {
    // The driver's error is no cause to keep: it may quote the URI, and with it the password.
    const reason = error instanceof Error ? withoutCredentials(error.message, uri) : "unknown";
    throw new Error(
      `The MongoDB URI can't be used (${reason}). It must look like mongodb://host:27017/parley.`,
    );
  }
}

function withoutCredentials(text: string, uri: string): string {
  const password = /\/\/[^:]*:(.*)@/s.exec(uri)?.[1] ?? "";
  const parts = password.split(/[:,/@]/).filter((part) => part !== "");
  return parts.reduce((safe, part) => safe.replaceAll(part, "***"), text);
}

/** The driver would take `test` for a URI that names none. */
function databaseName(uri: string): string {
  return decodeURIComponent(/^[^:]+:\/\/[^/]+\/([^?]+)/.exec(uri)?.[1] ?? "parley");
}
