import type { Clock } from "../core/clock.ts";

/** A signal that aborts when nothing happens for too long; `clear` must be called at the end. */
export interface IdleTimeout {
  readonly signal: AbortSignal;
  /** Something has happened: the time starts anew. */
  restart(): void;
  clear(): void;
}

/**
 * Aborts with `reason()` once `ms` milliseconds have passed without a restart, or with the parent's
 * reason when that aborts first. A restart costs nothing: it may come with every chunk of a stream.
 */
export function idleTimeout(
  clock: Clock,
  ms: number,
  reason: () => unknown,
  parent: AbortSignal,
): IdleTimeout {
  const controller = new AbortController();
  const followParent = () => controller.abort(parent.reason);
  if (parent.aborted) followParent();
  else parent.addEventListener("abort", followParent, { once: true });
  let idleSince = clock.now();
  let cancel: () => void;
  const watch = () => {
    const leftMs = idleSince + ms - clock.now();
    if (leftMs <= 0) controller.abort(reason());
    else cancel = clock.after(leftMs, watch);
  };
  cancel = clock.after(ms, watch);
  return {
    signal: controller.signal,
    restart() {
      idleSince = clock.now();
    },
    clear() {
      cancel();
      parent.removeEventListener("abort", followParent);
    },
  };
}
