import { Upstream, type UpstreamOptions } from "../../src/resilience/upstream.ts";
import { FakeClock } from "./fake-clock.ts";

/** How services ask to be left alone: headers, and the milliseconds that they mean. */
export const WAITS: readonly (readonly [headers: Record<string, string>, ms: number])[] = [
  [{ "retry-after": "7" }, 7_000],
  [{ "retry-after-ms": "1250" }, 1_250],
  [{ "retry-after": "Wed, 21 Oct 2026 07:28:20 GMT", date: "Wed, 21 Oct 2026 07:28:00 GMT" }, 20_000],
];

/** An upstream with Parley's defaults in an injected time, whose observer writes down what it is told. */
export function testUpstream(
  classify: UpstreamOptions["classify"],
  changes: Partial<Omit<UpstreamOptions, "clock" | "classify">> = {},
) {
  const clock = new FakeClock();
  const seen: string[] = [];
  /** Of retries, in milliseconds. */
  const waits: number[] = [];
  const upstream = new Upstream({
    name: "test",
    timeoutMs: 60_000,
    bulkhead: { maxConcurrent: 256, maxWaiting: 256 },
    retry: { maxAttempts: 3, baseDelayMs: 500, maxDelayMs: 5_000 },
    breaker: { maxFailures: 3, cooldownMs: 30_000 },
    random: () => 1,
    ...changes,
    classify,
    clock,
    observer: {
      stateChanged: (_, state) => seen.push(state),
      retried: (_, _attempt, waitMs) => waits.push(waitMs),
      refused: (_, reason) => seen.push(reason),
    },
  });
  return { upstream, clock, seen, waits };
}
