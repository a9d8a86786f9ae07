import { Worker } from "node:worker_threads";

/** A write changes about three pages, and SQLite would do it every 1,000. */
const WRITES_BETWEEN = 300;
/** In a bundle the program lies beside this, as JavaScript. */
const PROGRAM = import.meta.url.endsWith(".ts") ? "./checkpoint-thread.ts" : "./checkpoint-thread.js";

/**
 * Moves what the log of a database holds into its file, in a thread of its own. SQLite does so itself, within
 * some COMMIT, and the process stands still until all of it has been written and synced: for tens of
 * milliseconds on some disks.
 *
 * Without the thread, or when it can't keep up, SQLite still does so itself, at a greater length of the log.
 */
export class Checkpointer {
  readonly #path: string;
  #writes = 0;
  /** Started with the first work: it takes some megabytes. */
  #thread: Worker | undefined;
  #isAtWork = false;

  /** @param path of the database. */
  constructor(path: string) {
    this.#path = path;
  }

  /** A commit of so many writes has been made. */
  committed(writes: number): void {
    this.#writes += writes;
    if (this.#writes < WRITES_BETWEEN || this.#isAtWork) return;
    this.#writes = 0;
    this.#isAtWork = true;
    this.#thread ??= this.#start();
    this.#thread.postMessage("checkpoint");
  }

  /** @returns whether it is still at work: it then ends by itself. */
  close(): boolean {
    const end = () => void this.#thread?.terminate();
    if (this.#isAtWork) this.#thread?.once("message", end);
    else end();
    return this.#isAtWork;
  }

  #start(): Worker {
    const thread = new Worker(new URL(PROGRAM, import.meta.url), {
      workerData: this.#path,
      name: "checkpoints",
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    thread.on("message", () => {
      this.#isAtWork = false;
    });
    // It stays at work then: no other is asked for.
    thread.on("error", () => undefined);
    thread.unref();
    return thread;
  }
}
