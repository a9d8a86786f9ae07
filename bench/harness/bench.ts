import type { LoadGenerator } from "./load.ts";
import type { Progress } from "./progress.ts";
import { type RunningServer, type ServerSpec, startServer } from "./server.ts";

/** How much is measured. */
export interface Effort {
  readonly rounds: number;
  /** Of one contestant in one round, in milliseconds. */
  readonly roundMs: number;
  /**
   * Of a fresh server, until its code has been compiled: so many operations, but no longer than this, in
   * milliseconds. V8 is done with Parley's turn after about 12,000.
   */
  readonly warmUpOperations: number;
  readonly warmUpMs: number;
  /** Callers at the same time, one comparison each. */
  readonly callers: readonly number[];
}

/** What every scenario works with. */
export interface Bench {
  readonly effort: Effort;
  readonly load: LoadGenerator;
  readonly progress: Progress;
  /** Aborts when the run is interrupted. */
  readonly signal: AbortSignal;
  /** For the data and logs of servers; removed in the end. */
  readonly folder: string;
  /** The folder of the built Parley. */
  readonly dist: string;
  /** The fake provider's base URL, as an OpenAI client takes it; see servers/provider.ts for its settings. */
  providerUrl(settings?: string): string;
}

/** Servers that are stopped together, in the reverse order of their start. */
export class Servers implements AsyncDisposable {
  readonly #bench: Pick<Bench, "signal">;
  readonly #running: RunningServer[] = [];

  constructor(bench: Pick<Bench, "signal">) {
    this.#bench = bench;
  }

  async start(spec: ServerSpec): Promise<RunningServer> {
    const server = await startServer(spec, this.#bench.signal);
    this.#running.push(server);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#running.splice(0).reverse()) await server.stop();
  }
}
