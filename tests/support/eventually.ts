import { setTimeout as delay } from "node:timers/promises";

/** Waits until something is so that nothing tells of; the test's time-out ends it. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await delay(10);
}
