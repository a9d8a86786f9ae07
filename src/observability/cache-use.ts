import type { Logger } from "../core/logger.ts";

/** How often tools were answered from their cache, in the log at level debug: running totals, by tool. */
export function logCacheUse(log: Logger) {
  const totals = new Map<string, number>();
  const count = (outcome: "hit" | "miss" | "stale") => (tool: string) => {
    const key = `${tool} ${outcome}`;
    const total = (totals.get(key) ?? 0) + 1;
    totals.set(key, total);
    log.debug({ tool, outcome, total }, "Cache");
  };
  return { hit: count("hit"), miss: count("miss"), stale: count("stale") };
}
