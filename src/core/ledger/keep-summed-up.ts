import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { UsageStore } from "./usage-store.ts";

/** Between two rounds, in milliseconds. */
const INTERVAL_MS = 5_000;

/** Has the ledger summed up every few seconds, until `signal` aborts. Any number of processes may do so. */
export async function keepSummedUp(
  usage: UsageStore,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(INTERVAL_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    await usage.catchUp(clock.now(), signal).catch((error) => {
      log.warn({ err: error }, "The ledger could not be summed up; it will be tried again");
    });
  }
}
