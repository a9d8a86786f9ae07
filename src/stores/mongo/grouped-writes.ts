import {
  type AnyBulkWriteOperation,
  type Collection,
  type Filter,
  MongoBulkWriteError,
  type OptionalUnlessRequiredId,
  type UpdateFilter,
} from "mongodb";
import { DUPLICATE_KEY, insert, repeatable } from "./client.ts";

/**
 * How long writes wait for those before them, in milliseconds. An answer that takes longer may never come, as from
 * a connection that was cut without a word; the others must not wait for its time-out.
 */
const PATIENCE_MS = 250;
/** Writes of one command. */
const MAX_GROUP = 100;

/** A change of one document. */
export interface Update<T> {
  readonly filter: Filter<T>;
  readonly update: UpdateFilter<T>;
  /** Whether it has been made: asked before it is made again, where that has another effect or outcome. */
  isDone?(): Promise<boolean>;
}

/**
 * Writes of single documents of a collection. Those that come while others are under way are sent together, as
 * one command, which costs a server far less than a command each; one that comes alone is sent at once.
 *
 * Each is answered only when it is durable itself. Where the answer to a group does not tell what became of one of
 * them, that one is settled alone, as after a lost answer.
 */
export class GroupedWrites<T extends { _id: string }> {
  readonly #collection: Collection<T>;
  readonly #inserts: Groups<OptionalUnlessRequiredId<T>>;
  readonly #updates: Groups<Update<T>>;

  constructor(collection: Collection<T>) {
    this.#collection = collection;
    this.#inserts = new Groups((documents) => insertAll(collection, documents));
    this.#updates = new Groups((updates) => updateAll(collection, updates));
  }

  /** As {@link insert}. */
  insert(document: OptionalUnlessRequiredId<T>, signal: AbortSignal): Promise<boolean> {
    return this.#inserts.write(document, signal, () => insert(this.#collection, document, signal));
  }

  /** @returns whether there was a document that the filter matches. */
  update(change: Update<T>, signal: AbortSignal): Promise<boolean> {
    const { filter, update, isDone } = change;
    return this.#updates.write(change, signal, (mayBeDone) => {
      let again = mayBeDone;
      return repeatable(async () => {
        if (again && (await isDone?.())) return true;
        again = true;
        const { matchedCount } = await this.#collection.updateOne(filter, update);
        return matchedCount > 0;
      }, signal);
    });
  }
}

/** What became of each write of a group; undefined where that is not known. */
type Outcomes = readonly (boolean | undefined)[];

interface Waiting<Write> {
  readonly write: Write;
  readonly signal: AbortSignal;
  readonly alone: (mayBeDone: boolean) => Promise<boolean>;
  readonly settle: (outcome: boolean | Promise<boolean>) => void;
}

/** Writes of one kind, in the order in which they came. */
class Groups<Write> {
  readonly #send: (writes: readonly Write[]) => Promise<Outcomes>;
  #waiting: Waiting<Write>[] = [];
  #mustWait = false;

  /** @param send sends several as one command. */
  constructor(send: (writes: readonly Write[]) => Promise<Outcomes>) {
    this.#send = send;
  }

  /** @param alone makes the write by itself, also when it may have been done already. */
  write(write: Write, signal: AbortSignal, alone: Waiting<Write>["alone"]): Promise<boolean> {
    const { promise, resolve: settle } = Promise.withResolvers<boolean>();
    this.#waiting.push({ write, signal, alone, settle });
    this.#next();
    return promise;
  }

  #next(): void {
    if (this.#mustWait || this.#waiting.length === 0) return;
    this.#mustWait = true;
    const { promise: patienceIsOver, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, PATIENCE_MS);
    const answered = this.#sendGroup(this.#waiting.splice(0, MAX_GROUP));
    void Promise.race([answered, patienceIsOver]).finally(() => {
      clearTimeout(timer);
      this.#mustWait = false;
      this.#next();
    });
  }

  /** Never rejects. */
  async #sendGroup(group: readonly Waiting<Write>[]): Promise<void> {
    // What nobody waits for any more must not be begun.
    const wanted = group.filter(({ signal }) => !signal.aborted);
    for (const { signal, settle } of group) if (signal.aborted) settle(Promise.reject(signal.reason));
    const [first, ...others] = wanted;
    if (!first) return;
    if (others.length === 0) {
      const outcome = first.alone(false);
      first.settle(outcome);
      await outcome.catch(() => undefined);
      return;
    }
    const outcomes = await this.#send(wanted.map(({ write }) => write)).catch((): Outcomes => []);
    for (const [index, { alone, settle }] of wanted.entries()) settle(outcomes[index] ?? alone(true));
  }
}

async function insertAll<T extends { _id: string }>(
  collection: Collection<T>,
  documents: readonly OptionalUnlessRequiredId<T>[],
): Promise<Outcomes> {
  try {
    await collection.insertMany([...documents], { ordered: false });
    return documents.map(() => true);
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) throw error;
    const codes = new Map([error.writeErrors].flat().map(({ index, code }) => [index, code]));
    if (codes.size === 0) throw error;
    return documents.map((_, index) => {
      const code = codes.get(index);
      return code === undefined ? true : code === DUPLICATE_KEY ? false : undefined;
    });
  }
}

/** The answer only counts those that matched. */
async function updateAll<T extends { _id: string }>(
  collection: Collection<T>,
  updates: readonly Update<T>[],
): Promise<Outcomes> {
  const operations = updates.map(
    ({ filter, update }): AnyBulkWriteOperation<T> => ({ updateOne: { filter, update } }),
  );
  const { matchedCount } = await collection.bulkWrite(operations, { ordered: false });
  return matchedCount === updates.length ? updates.map(() => true) : [];
}
