import type { Clock } from "../core/clock.ts";
import { orAborted } from "../core/deadline.ts";
import { type Admission, Breaker, type BreakerPolicy, type BreakerState, type Outcome } from "./breaker.ts";
import { Bulkhead, type BulkheadLimits } from "./bulkhead.ts";
import { idleTimeout } from "./idle-timeout.ts";
import { type RetryPolicy, tryAgain } from "./retry.ts";
import { RetryBudget } from "./retry-budget.ts";

/** What an error of an attempt means. */
export interface Failure {
  /** What it says of the upstream: one that refuses a request, or asks to come later, is well. */
  readonly outcome: Outcome;
  /** Whether the same request may succeed when it is made again. */
  readonly retryable: boolean;
  /** The wait that the upstream asked for, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Is told what happens at upstreams, by name: for logs and meters. Never throws. */
export interface UpstreamObserver {
  /** @param cause of its opening: what the upstream did. */
  stateChanged(upstream: string, state: BreakerState, cause: unknown): void;
  /** Attempt `attempt` has failed, and another follows after `waitMs`. */
  retried(upstream: string, attempt: number, waitMs: number): void;
  /** A call was not made, or not made again. */
  refused(upstream: string, reason: "breaker_open" | "bulkhead_full" | "retry_budget_spent"): void;
}

export interface UpstreamOptions {
  /** Such as `weather` or `model:openai`. */
  readonly name: string;
  /** How long an attempt may go without a sign of life, in milliseconds. */
  readonly timeoutMs: number;
  readonly bulkhead: BulkheadLimits;
  readonly retry: RetryPolicy;
  readonly breaker: BreakerPolicy;
  /** What an error means that the caller's own signal is no cause of. */
  readonly classify: (error: unknown) => Failure;
  readonly clock: Clock;
  readonly observer: UpstreamObserver;
  /** From 0 to 1. Default: Math.random. */
  readonly random?: () => number;
}

/** Why a call was ended, or not made, on this side. */
export class UpstreamError extends Error {
  override readonly name = "UpstreamError";

  constructor(
    readonly problem: "breaker_open" | "bulkhead_full" | "timed_out",
    message: string,
    /** When it may be tried again, in milliseconds, where that is known. */
    readonly retryAfterMs?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What an attempt tells of itself while it is at work. */
export interface Progress {
  /** A sign of life. */
  alive(): void;
  /** A part of the answer has been passed on: it can't be taken back, so the call is not made again. */
  passedOn(): void;
}

/** One attempt at a call. It ends when `signal` aborts. */
export type Attempt<T> = (signal: AbortSignal, progress: Progress) => Promise<T>;

/** A call, with all its attempts. */
interface Call<T> {
  readonly signal: AbortSignal;
  readonly attempt: Attempt<T>;
  /** Whether an attempt has passed something on. */
  isPassedOn: boolean;
}

const UNNOTED: Progress = { alive: () => undefined, passedOn: () => undefined };

/**
 * A service outside that calls go to, and what stands between it and them:
 * bulkhead > retries > breaker > time-out > one attempt.
 */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #bulkhead: Bulkhead;
  readonly #breaker: Breaker;
  readonly #budget = new RetryBudget();

  constructor(options: UpstreamOptions) {
    const { name, clock, observer, timeoutMs } = options;
    this.#options = options;
    this.#bulkhead = new Bulkhead(options.bulkhead);
    this.#breaker = new Breaker({
      ...options.breaker,
      clock,
      probeTimeoutMs: timeoutMs,
      onChange: (state, cause) => observer.stateChanged(name, state, cause),
    });
  }

  get name(): string {
    return this.#options.name;
  }

  get state(): BreakerState {
    return this.#breaker.state;
  }

  /**
   * The answer to a call. Attempts are repeated until one has passed something on; what fails after that
   * fails the call, and counts for the breaker.
   *
   * @throws UpstreamError, the signal's reason, or what the last attempt threw.
   */
  async call<T>(signal: AbortSignal, attempt: Attempt<T>): Promise<T> {
    const place = this.#bulkhead.enter(signal);
    const leave = place instanceof Promise ? await place : place;
    if (!leave) throw this.#full();
    const call: Call<T> = { signal, attempt, isPassedOn: false };
    try {
      const admission = this.#admit();
      this.#budget.earn();
      return await this.#attempt(call, admission);
    } catch (error) {
      return await this.#tryAgain(call, error);
    } finally {
      leave();
    }
  }

  /**
   * As {@link call}, for calls that can be done without: never in the way of the others. They take a
   * place only while most are free, are made once, and only while the breaker is closed; what becomes
   * of them does not count.
   */
  async spareCall<T>(signal: AbortSignal, attempt: Attempt<T>): Promise<T> {
    if (this.#breaker.state !== "closed") throw this.#open();
    const leave = this.#bulkhead.enterIfQuiet();
    if (!leave) throw this.#full();
    try {
      return await orAborted(attempt(signal, UNNOTED), signal);
    } finally {
      leave();
    }
  }

  #tryAgain<T>(call: Call<T>, failure: unknown): Promise<T> {
    const { name, retry, clock, observer, random = Math.random } = this.#options;
    return tryAgain(failure, () => this.#attempt(call, this.#admit()), {
      policy: retry,
      clock,
      random,
      signal: call.signal,
      mayRetry: (error) => {
        const { retryable, retryAfterMs = 0 } = this.#failure(error);
        return (
          retryable && !call.isPassedOn && this.#breaker.state !== "open" && { notBeforeMs: retryAfterMs }
        );
      },
      afford: () => {
        const affordable = this.#budget.spend();
        if (!affordable) observer.refused(name, "retry_budget_spent");
        return affordable;
      },
      onRetry: (number, waitMs) => observer.retried(name, number, waitMs),
    });
  }

  async #attempt<T>(call: Call<T>, admission: Admission): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    const idle = idleTimeout(clock, timeoutMs, () => this.#timedOut(), call.signal);
    const progress: Progress = {
      alive: idle.restart,
      passedOn() {
        idle.restart();
        call.isPassedOn = true;
        // Whether the rest comes too is not waited for: others wait for this word.
        if (admission.isProbe) void admission.tell("success");
      },
    };
    try {
      const answer = await orAborted(call.attempt(idle.signal, progress), idle.signal);
      const told = admission.tell("success");
      if (told) await told;
      return answer;
    } catch (error) {
      await admission.tell(call.signal.aborted ? "unknown" : this.#failure(error).outcome, error);
      throw error;
    } finally {
      idle.clear();
    }
  }

  /** @throws UpstreamError while the breaker lets nobody through. */
  #admit(): Admission {
    const admission = this.#breaker.admit();
    if (!admission) throw this.#open();
    return admission;
  }

  #failure(error: unknown): Failure {
    if (!(error instanceof UpstreamError)) return this.#options.classify(error);
    const timedOut = error.problem === "timed_out";
    return { outcome: timedOut ? "failure" : "unknown", retryable: timedOut };
  }

  #timedOut(): UpstreamError {
    const { name, timeoutMs } = this.#options;
    return new UpstreamError("timed_out", `No sign of life from ${name} for ${timeoutMs / 1000} seconds`);
  }

  #open(): UpstreamError {
    const { name, observer } = this.#options;
    observer.refused(name, "breaker_open");
    const { retryAfterMs, lastFailure: cause } = this.#breaker;
    return new UpstreamError("breaker_open", `${name} is not asked: its breaker is open`, retryAfterMs, {
      cause,
    });
  }

  #full(): UpstreamError {
    const { name, observer } = this.#options;
    observer.refused(name, "bulkhead_full");
    return new UpstreamError("bulkhead_full", `Too many calls of ${name} are at work or wait`);
  }
}
