import type { Clock } from "../core/clock.ts";
import { untilAborted } from "../core/deadline.ts";
import { type Admission, Breaker, type BreakerPolicy, type BreakerState, type Outcome } from "./breaker.ts";
import { Bulkhead, type BulkheadLimits } from "./bulkhead.ts";
import { idleTimeout } from "./idle-timeout.ts";
import { type RetryPolicy, withRetries } from "./retry.ts";
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

/**
 * One attempt at a call: its events as they come. It ends when `signal` aborts, and may call `alive` for
 * signs of life between events.
 */
export type Attempt<Event> = (signal: AbortSignal, alive: () => void) => AsyncIterable<Event>;

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
   * The events of a call. Attempts are repeated up to the first event; what fails after that fails the
   * call, and counts for the breaker.
   *
   * @throws UpstreamError, the signal's reason, or what the last attempt threw.
   */
  async *stream<Event>(signal: AbortSignal, attempt: Attempt<Event>): AsyncGenerator<Event, void, void> {
    const leave = await this.#bulkhead.enter(signal);
    if (!leave) throw this.#full();
    try {
      const { first, events } = await this.#begin(signal, attempt);
      try {
        if (!first.done) yield first.value;
        yield* events;
      } finally {
        // Where the consumer has left at the first event, `events` has not heard of it.
        await events.return();
      }
    } finally {
      leave();
    }
  }

  /** As {@link stream}, for calls with one answer. */
  async call<T>(signal: AbortSignal, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const answers = this.stream(signal, async function* (attemptSignal) {
      yield await attempt(attemptSignal);
    });
    const [answer] = await Array.fromAsync(answers);
    return answer as T;
  }

  /**
   * As {@link stream}, for calls that can be done without: never in the way of the others. They take a
   * place only while most are free, are made once, and only while the breaker is closed; what becomes
   * of them does not count.
   */
  async *spareStream<Event>(signal: AbortSignal, attempt: Attempt<Event>): AsyncGenerator<Event, void, void> {
    if (this.#breaker.state !== "closed") throw this.#open();
    const leave = this.#bulkhead.enterIfQuiet();
    if (!leave) throw this.#full();
    try {
      yield* untilAborted(
        attempt(signal, () => undefined),
        signal,
      );
    } finally {
      leave();
    }
  }

  /** Attempts, until one comes to its first event. */
  #begin<Event>(signal: AbortSignal, attempt: Attempt<Event>) {
    const { name, retry, clock, observer, random = Math.random } = this.#options;
    const tryOnce = async (number: number) => {
      const admission = this.#breaker.admit();
      if (!admission) throw this.#open();
      if (number === 1) this.#budget.earn();
      const events = this.#attempt(signal, attempt, admission);
      return { first: await events.next(), events };
    };
    return withRetries(tryOnce, {
      policy: retry,
      clock,
      random,
      signal,
      mayRetry: (error) => {
        const { retryable, retryAfterMs = 0 } = this.#failure(error);
        return retryable && this.#breaker.state !== "open" && { notBeforeMs: retryAfterMs };
      },
      afford: () => {
        const affordable = this.#budget.spend();
        if (!affordable) observer.refused(name, "retry_budget_spent");
        return affordable;
      },
      onRetry: (number, waitMs) => observer.retried(name, number, waitMs),
    });
  }

  async *#attempt<Event>(
    signal: AbortSignal,
    attempt: Attempt<Event>,
    admission: Admission,
  ): AsyncGenerator<Event, void, void> {
    const { clock, timeoutMs } = this.#options;
    const idle = idleTimeout(clock, timeoutMs, () => this.#timedOut(), signal);
    try {
      for await (const event of untilAborted(attempt(idle.signal, idle.restart), idle.signal)) {
        // Whether the rest comes too is not waited for: others wait for this word.
        if (admission.isProbe) await admission.tell("success");
        idle.pause();
        yield event;
        idle.restart();
      }
      await admission.tell("success");
    } catch (error) {
      await admission.tell(signal.aborted ? "unknown" : this.#failure(error).outcome, error);
      throw error;
    } finally {
      idle.clear();
      await admission.tell("unknown");
    }
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
