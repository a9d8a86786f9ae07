import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Introduction } from "../start-up-lines.ts";

/** How long a worker may take until it serves, in milliseconds: longer than to wait for a schema's change. */
const START_MS = 120_000;
/** How often in a row a worker may end before it serves. */
const MAX_FAILED_STARTS = 3;
/** A worker that has served for so long, in milliseconds, did not end because of how it was started. */
const SETTLED_MS = 60_000;
const MAX_WAIT_MS = 30_000;

/** A process that serves, as the pool sees it. */
export interface PoolWorker {
  readonly id: number;
  readonly pid: number | undefined;
  /** Resolves once it serves, or with nothing when it has ended before. */
  readonly ready: Promise<Introduction | undefined>;
  /** Resolves once it takes no more work, whoever wanted that. */
  readonly leaving: Promise<void>;
  /** Resolves once the process has ended. */
  readonly ended: Promise<WorkerEnd>;
  /** Ends it with the server. */
  stop(): void;
  /** Ends it while others serve in its place. */
  retire(): void;
  kill(): void;
}

export interface WorkerEnd {
  /** The exit code; nothing when a signal has ended it. */
  readonly code: number | undefined;
  /** Such as `exit code 1` or `SIGKILL`. */
  readonly text: string;
}

/** A worker ended before it served; what was wrong is in its own words in the log. */
export class StartFailed extends Error {
  override readonly name = "StartFailed";
  readonly exitCode: number;

  constructor({ id }: PoolWorker, { code, text }: WorkerEnd) {
    super(`Worker ${id} has ended before it served (${text})`);
    this.exitCode = code || 1;
  }
}

export interface PoolOptions {
  readonly size: number;
  readonly fork: () => PoolWorker;
  /** How long a worker may take to end once it is asked to, in milliseconds. */
  readonly endMs: () => number;
  /** Called when no more workers can be started. */
  readonly giveUp: (failure: StartFailed) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps so many workers serving: replaces those that end, and all of them in turn when it is asked to. */
export class WorkerPool {
  /** How many workers have ended by themselves. */
  deaths = 0;
  readonly #options: PoolOptions;
  /** Also those that start or end. */
  readonly #alive = new Set<PoolWorker>();
  #serving: readonly PoolWorker[] = [];
  readonly #stopping = new AbortController();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get serving(): number {
    return this.#serving.length;
  }

  /**
   * Starts the workers. One goes ahead, so that what is to be done once is done once, and what is wrong is
   * told once.
   *
   * @returns what the first one tells of itself, once all serve.
   * @throws StartFailed, or an AbortError when the pool is stopped meanwhile.
   */
  async start(): Promise<Introduction> {
    const { worker, introduction } = await this.#launch();
    this.#admit(worker, 0);
    const others = Array.from({ length: this.#options.size - 1 }, () => this.#fill(0));
    await Promise.all(others);
    this.#stopping.signal.throwIfAborted();
    return introduction;
  }

  /** Replaces the workers one by one, each once its successor serves. When one does not, the others serve on. */
  async renew(): Promise<void> {
    const { log } = this.#options;
    log.info({}, "Each worker is replaced once its successor serves");
    try {
      for (const old of this.#serving) await this.#renewOne(old);
      log.info({}, "All workers have been replaced");
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (!(error instanceof StartFailed)) throw error;
      log.error({}, `${error.message}: those that have not been replaced serve on`);
    }
  }

  /** Ends all workers, with their turns at work or after them. @throws Error when one does not end in order. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const ends = await Promise.all(
      [...this.#alive].map(async (worker) => {
        worker.stop();
        const { code, text } = await this.#end(worker);
        return code === 0 ? [] : [`worker ${worker.id}: ${text}`];
      }),
    );
    const problems = ends.flat();
    if (problems.length > 0) throw new Error(`Not all workers ended in order (${problems.join(", ")})`);
  }

  async #renewOne(old: PoolWorker): Promise<void> {
    const { worker } = await this.#launch();
    if (this.#serving.includes(old)) {
      this.#leave(old);
      this.#admit(worker, 0);
      old.retire();
      await this.#end(old);
    } else {
      // It has ended meanwhile, and has been replaced already.
      worker.retire();
    }
  }

  async #launch(): Promise<{ worker: PoolWorker; introduction: Introduction }> {
    const { fork, clock } = this.#options;
    this.#stopping.signal.throwIfAborted();
    const worker = fork();
    this.#alive.add(worker);
    const ended = worker.ended.finally(() => this.#alive.delete(worker));
    const cancel = clock.after(START_MS, () => worker.kill());
    const introduction = await worker.ready;
    cancel();
    if (!introduction) throw new StartFailed(worker, await ended);
    // What it was told while it started it may not have heard.
    if (this.#stopping.signal.aborted) worker.stop();
    return { worker, introduction };
  }

  /** @param haste how many workers before it, in this place, ended soon after they were started. */
  #admit(worker: PoolWorker, haste: number): void {
    const { clock, log, giveUp } = this.#options;
    const since = clock.now();
    this.#serving = [...this.#serving, worker];
    log.info({ worker: worker.id }, `Worker ${worker.id} serves, as process ${worker.pid}`);
    worker.leaving.then(async () => {
      if (!this.#serving.includes(worker) || this.#stopping.signal.aborted) return;
      this.#leave(worker);
      this.deaths++;
      log.error({ worker: worker.id }, `Worker ${worker.id} ends by itself; another takes its place`);
      await this.#fill(clock.now() - since < SETTLED_MS ? haste + 1 : 0).catch((error) => {
        if (!(error instanceof StartFailed)) throw error;
        giveUp(error);
      });
    });
  }

  #leave(worker: PoolWorker): void {
    this.#serving = this.#serving.filter((one) => one !== worker);
  }

  /** Starts a worker. @throws StartFailed when it can't be done. */
  async #fill(haste: number): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    for (let failed = 0; !signal.aborted; ) {
      try {
        const ms = waitMs(haste + failed);
        if (ms > 0) await clock.sleep(ms, signal);
        const { worker } = await this.#launch();
        this.#admit(worker, haste);
        return;
      } catch (error) {
        if (signal.aborted) return;
        failed++;
        if (failed === MAX_FAILED_STARTS || !(error instanceof StartFailed)) throw error;
        log.error({}, `${error.message}; it is tried again`);
      }
    }
  }

  /** Waits until it has ended, and sees to that in the end. */
  async #end(worker: PoolWorker): Promise<WorkerEnd> {
    const { clock, endMs, log } = this.#options;
    const cancel = clock.after(endMs(), () => {
      log.warn({ worker: worker.id }, `Worker ${worker.id} did not end in time, and is killed`);
      worker.kill();
    });
    const end = await worker.ended;
    cancel();
    return end;
  }
}

/** The first is started at once, and so is who takes its place; then a second passes, two, four … */
function waitMs(haste: number): number {
  return haste < 2 ? 0 : Math.min(MAX_WAIT_MS, 500 * 2 ** (haste - 1));
}
