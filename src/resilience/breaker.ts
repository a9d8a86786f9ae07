import { EventEmitter } from "node:events";
import CircuitBreaker from "opossum";
import type { Clock } from "../core/clock.ts";

export interface BreakerPolicy {
  /** In a row; then the breaker opens. */
  readonly maxFailures: number;
  /** Between opening and the first probe, in milliseconds. */
  readonly cooldownMs: number;
}

export interface BreakerOptions extends BreakerPolicy {
  readonly clock: Clock;
  /** After which a probe that has not told its outcome counts as lost, in milliseconds. */
  readonly probeTimeoutMs: number;
  onChange(state: BreakerState, cause: unknown): void;
}

/**
 * - `closed`: calls go through.
 * - `open`: none does, until the cool-down is over.
 * - `half_open`: one call goes through, as a probe; its outcome closes the breaker or opens it again.
 */
export type BreakerState = "closed" | "open" | "half_open";

/** What a call says of its upstream: `unknown` is nothing, as when its caller went away. */
export type Outcome = "success" | "failure" | "unknown";

/** A call that was let through. */
export interface Admission {
  readonly isProbe: boolean;
  /** To be called at the end; the first word counts. What it returns resolves when the breaker has taken it in. */
  tell(outcome: Outcome, cause?: unknown): void | Promise<void>;
}

type Circuit = CircuitBreaker<[Promise<void>], void>;

/** What callers are told to wait while a probe is at work: its outcome may come at any moment. */
const PROBE_AT_WORK_MS = 1_000;
/** The longest that a timer of Node.js can wait. */
const NEVER_MS = 2 ** 31 - 1;

/**
 * Keeps calls away from an upstream that is down, so that they fail at once and it can recover. Opossum
 * is the state machine: it lets calls through and refuses them, counts, and picks the probe. Three
 * things of it are left out:
 *
 * - Its share of failures in a window of time: calls that take longer to fail than the window would
 *   never open it. Its window is made to be the time since the last success, in which failures are
 *   counted: so they are failures in a row.
 * - Its timers and its AbortController, which would be shared by all calls: time comes from the injected
 *   clock, and every call has a signal of its own.
 * - Its memory: the outcomes of calls that began before it opened say nothing of now, so each probe gets
 *   a fresh circuit in the half-open state.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #circuit: Circuit;
  /** When an open circuit lets a probe through, or a probe at work counts as lost. On the clock. */
  #nextProbeAt = 0;
  #lastFailure: unknown;
  /** Whether the closed circuit has counted failures since the last success. */
  #hasFailures = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#circuit = this.#newCircuit("closed");
  }

  get state(): BreakerState {
    if (this.#circuit.closed) return "closed";
    return this.#circuit.opened && !this.#isProbeDue ? "open" : "half_open";
  }

  /** When a call that was refused may be made again, in milliseconds from now. */
  get retryAfterMs(): number {
    return this.state === "open" ? this.#nextProbeAt - this.#options.clock.now() : PROBE_AT_WORK_MS;
  }

  /** What the upstream did last that counted as a failure. */
  get lastFailure(): unknown {
    return this.#lastFailure;
  }

  /** Lets a call through; undefined when it may not be made. */
  admit(): Admission | undefined {
    if (!this.#circuit.closed && this.#isProbeDue) this.#probe();
    const circuit = this.#circuit;
    if (circuit.closed) return this.#admitCall(circuit);
    return circuit.pendingClose ? this.#admitProbe(circuit) : undefined;
  }

  /** The circuit is told at the call's end, and of a success only where there were failures before it. */
  #admitCall(circuit: Circuit): Admission {
    let told = false;
    return {
      isProbe: false,
      tell: (outcome, cause) => {
        if (told) return;
        told = true;
        if (outcome === "failure") this.#lastFailure = cause;
        const isNews = outcome === "failure" || (outcome === "success" && this.#hasFailures);
        if (!isNews || circuit !== this.#circuit || !circuit.closed) return;
        this.#hasFailures = outcome === "failure";
        return fire(circuit, outcome === "failure" ? Promise.reject(cause) : Promise.resolve());
      },
    };
  }

  /** The circuit is told at once that there is a probe, so that there is no other. */
  #admitProbe(circuit: Circuit): Admission {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const taken = fire(circuit, promise);
    let told = false;
    return {
      isProbe: true,
      tell: async (outcome, cause) => {
        if (told) return;
        told = true;
        if (outcome === "success") resolve();
        if (outcome === "failure") {
          this.#lastFailure = cause;
          reject(cause);
        }
        if (outcome !== "unknown") await taken;
        else if (circuit === this.#circuit) this.#nextProbeAt = 0;
      },
    };
  }

  get #isProbeDue(): boolean {
    return this.#options.clock.now() >= this.#nextProbeAt;
  }

  /** From now on the next call is a probe. */
  #probe(): void {
    const { clock, probeTimeoutMs, onChange } = this.#options;
    if (this.#circuit.opened) onChange("half_open", undefined);
    this.#circuit.shutdown();
    this.#circuit = this.#newCircuit("half_open");
    this.#nextProbeAt = clock.now() + probeTimeoutMs;
  }

  #newCircuit(state: "closed" | "half_open"): Circuit {
    const { maxFailures, cooldownMs, clock, onChange } = this.#options;
    const window = new EventEmitter();
    const options = {
      state: { enabled: true, closed: state === "closed", halfOpen: state === "half_open" },
      timeout: false as const,
      resetTimeout: NEVER_MS,
      rollingCountBuckets: 1,
      rotateBucketController: window,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      // Never reached: opossum's own rule opens a half-open circuit only.
      volumeThreshold: Number.MAX_SAFE_INTEGER,
    };
    this.#hasFailures = false;
    const circuit: Circuit = new CircuitBreaker((outcome: Promise<void>) => outcome, options);
    circuit.on("success", () => window.emit("rotate"));
    circuit.on("failure", () => {
      if (circuit.stats.failures >= maxFailures) circuit.open();
    });
    circuit.on("open", () => {
      this.#nextProbeAt = clock.now() + cooldownMs;
      onChange("open", this.#lastFailure);
    });
    circuit.on("close", () => onChange("closed", undefined));
    return circuit;
  }
}

/** Resolves when the circuit has taken the outcome in. */
async function fire(circuit: Circuit, outcome: Promise<void>): Promise<void> {
  await circuit.fire(outcome).catch(() => undefined);
}
