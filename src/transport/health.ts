/** One thing that the server can't do without. Throws when it can't serve. */
export interface Dependency {
  readonly name: string;
  check(): Promise<void>;
}

type Phase = "starting" | "serving" | "draining";

export interface ReadyReport {
  readonly status: "ready" | "unavailable" | "starting" | "draining";
  /** `ok` or `failed`, by dependency. */
  readonly dependencies: Record<string, string>;
}

/** Whether traffic should be sent here: yes while serving with all dependencies well. */
export class Readiness {
  phase: Phase = "starting";
  readonly #dependencies: readonly Dependency[];

  constructor(dependencies: readonly Dependency[]) {
    this.#dependencies = dependencies;
  }

  async report(): Promise<ReadyReport> {
    const results = await Promise.all(
      this.#dependencies.map(async ({ name, check }) => {
        const ok = await check().then(
          () => true,
          () => false,
        );
        return { name, ok };
      }),
    );
    const dependencies = Object.fromEntries(results.map(({ name, ok }) => [name, ok ? "ok" : "failed"]));
    if (this.phase !== "serving") return { status: this.phase, dependencies };
    return { status: results.every(({ ok }) => ok) ? "ready" : "unavailable", dependencies };
  }
}
