import cluster, { type Worker } from "node:cluster";
import type { Metrics } from "../observability/metrics/merge.ts";
import type { Introduction } from "../start-up-lines.ts";
import { Channel } from "./channel.ts";
import type { PoolWorker, WorkerEnd } from "./pool.ts";
import type { PrimaryCalls, WorkerCalls } from "./protocol.ts";

/** How long a worker may take to hear what it is told, in milliseconds. */
const TELL_MS = 5_000;

/** What the pool does not answer itself. */
export type WorkerRequests = Omit<PrimaryCalls, "ready" | "leaving">;

/** A worker's process, by way of node:cluster. */
export class ForkedWorker implements PoolWorker {
  readonly id: number;
  readonly pid: number | undefined;
  readonly ready: Promise<Introduction | undefined>;
  readonly leaving: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  readonly #worker: Worker;
  readonly #channel: Channel<WorkerCalls>;

  /** Starts it. */
  constructor(requests: WorkerRequests) {
    this.#worker = cluster.fork();
    this.id = this.#worker.id;
    this.pid = this.#worker.process.pid;
    const ready = Promise.withResolvers<Introduction | undefined>();
    const leaving = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<WorkerEnd>();
    this.ready = ready.promise;
    this.leaving = leaving.promise;
    this.ended = ended.promise;
    const calls: PrimaryCalls = { ...requests, ready: ready.resolve, leaving: () => leaving.resolve() };
    this.#channel = new Channel((message, done) => this.#worker.send(message, done), { ...calls });
    this.#worker.on("message", (message) => this.#channel.receive(message));
    const end = (how: WorkerEnd) => {
      this.#channel.close(new Error(`Worker ${this.id} has ended`));
      ready.resolve(undefined);
      leaving.resolve();
      ended.resolve(how);
    };
    this.#worker.once("exit", (code: number | null, signal: string | null) =>
      end({ code: code ?? undefined, text: signal ?? `exit code ${code}` }),
    );
    // A process that could not be started has no exit to tell of.
    this.#worker.on("error", (error: Error) => {
      if (this.pid === undefined) end({ code: undefined, text: error.message });
    });
  }

  stop(): void {
    this.#tell("stop");
  }

  retire(): void {
    this.#tell("retire");
  }

  kill(): void {
    this.#worker.process.kill("SIGKILL");
  }

  /** @throws Error when it does not answer within `timeoutMs`. */
  metrics(timeoutMs: number): Promise<Metrics> {
    return this.#channel.ask("metrics", null, timeoutMs);
  }

  /** Who does not hear it is dealt with by whoever waits for the end. */
  #tell(what: "stop" | "retire"): void {
    this.#channel.ask(what, null, TELL_MS).catch(() => undefined);
  }
}
