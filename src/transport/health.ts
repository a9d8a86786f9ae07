/** Something outside that the server uses. */
export interface Dependency {
  readonly name: string;
  /** Whether nothing can be served without it. */
  readonly required: boolean;
  /** Throws when it can't be used: a {@link NotOk} where there is a better word for its state than `failed`. */
  check(): Promise<void>;
}

export class NotOk extends Error {
  /** @param state for the report, such as `open` of a circuit breaker. */
  constructor(readonly state: string) {
    super(state);
  }
}

type Phase = "starting" | "serving" | "draining";

export interface ReadyReport {
  /** `degraded`: all is served, but something that helps is away. */
  readonly status: "ready" | "degraded" | "unavailable" | "starting" | "draining";
  /** `ok`, `failed`, or a breaker's `open` or `half_open`, by dependency. */
  readonly dependencies: Record<string, string>;
}

/** Whether traffic should be sent here: yes while serving with all that is required. */
export class Readiness {
  phase: Phase = "starting";
  readonly #dependencies: readonly Dependency[];
  #looking: Promise<ReadyReport> | undefined;

  constructor(dependencies: readonly Dependency[]) {
    this.#dependencies = dependencies;
  }

  /** Those who ask at the same time share one look: anyone may ask, and each look costs the dependencies. */
  report(): Promise<ReadyReport> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<ReadyReport> {
    const results = await Promise.all(
      this.#dependencies.map(async ({ name, required, check }) => {
        const state = await check().then(
          () => "ok",
          (error) => (error instanceof NotOk ? error.state : "failed"),
        );
        return { name, required, state };
      }),
    );
    const dependencies = Object.fromEntries(results.map(({ name, state }) => [name, state]));
    if (this.phase !== "serving") return { status: this.phase, dependencies };
    const failed = results.filter(({ state }) => state !== "ok");
    if (failed.length === 0) return { status: "ready", dependencies };
    return { status: failed.some(({ required }) => required) ? "unavailable" : "degraded", dependencies };
  }
}
