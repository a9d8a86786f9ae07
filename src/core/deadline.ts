import type { Clock } from "./clock.ts";

/** A signal that aborts by itself; `clear` must be called once it is no longer needed. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Aborts it before its time. */
  abort(reason: unknown): void;
  clear(): void;
}

/** When signals will abort, in milliseconds since the Unix epoch. */
const expiries = new WeakMap<AbortSignal, number>();

/**
 * Aborts with `reason()` after `ms` milliseconds, or with the parent's reason when that aborts
 * first.
 */
export function deadline(clock: Clock, ms: number, reason: () => unknown, parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  const abort = (why: unknown) => controller.abort(why);
  const followParent = () => abort(parent?.reason);
  if (parent?.aborted) followParent();
  else parent?.addEventListener("abort", followParent, { once: true });
  const own = clock.now() + ms;
  expiries.set(controller.signal, Math.min(own, (parent && expiries.get(parent)) ?? own));
  const cancel = clock.after(ms, () => abort(reason()));
  const clear = () => {
    cancel();
    parent?.removeEventListener("abort", followParent);
  };
  return { signal: controller.signal, abort, clear };
}

/** Milliseconds until the signal's {@link deadline}, its parents' included; Infinity without one. */
export function timeLeft(signal: AbortSignal, clock: Clock): number {
  return (expiries.get(signal) ?? Number.POSITIVE_INFINITY) - clock.now();
}

/** Settles with `work`, or rejects with the signal's reason if that aborts first. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // By hand: Promise.race makes six promises of it, and each call of a model or a tool comes by here.
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
    const settled = () => signal.removeEventListener("abort", onAbort);
    work.then(
      (value) => {
        settled();
        resolve(value);
      },
      (error) => {
        settled();
        reject(error);
      },
    );
  });
}
