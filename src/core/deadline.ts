import type { Clock } from "./clock.ts";

/** A signal that aborts by itself; `clear` must be called once it is no longer needed. */
export interface Deadline {
  readonly signal: AbortSignal;
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
  const cleared = new AbortController();
  const followParent = () => controller.abort(parent?.reason);
  if (parent?.aborted) followParent();
  else parent?.addEventListener("abort", followParent, { once: true });
  const own = clock.now() + ms;
  expiries.set(controller.signal, Math.min(own, (parent && expiries.get(parent)) ?? own));
  const clear = () => {
    cleared.abort();
    parent?.removeEventListener("abort", followParent);
  };
  clock.sleep(ms, cleared.signal).then(
    () => controller.abort(reason()),
    () => undefined,
  );
  return { signal: controller.signal, clear };
}

/** Milliseconds until the signal's {@link deadline}, its parents' included; Infinity without one. */
export function timeLeft(signal: AbortSignal, clock: Clock): number {
  return (expiries.get(signal) ?? Number.POSITIVE_INFINITY) - clock.now();
}

/** The items of `source` until the signal aborts, also when the source itself does not listen to it. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let done = false;
  try {
    for (;;) {
      const next = await orAborted(iterator.next(), signal);
      done = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Not awaited: a source that hangs would hang here too.
    if (!done) iterator.return?.().catch(() => undefined);
  }
}

/** Settles with `work`, or rejects with the signal's reason if that aborts first. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    // Racing even when it has aborted: a failure of `work` that nobody awaits would end the process.
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
