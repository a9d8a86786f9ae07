import { describe, expect, test } from "@jest/globals";
import { deadline } from "../../../src/core/deadline.ts";
import type { Failure } from "../../../src/resilience/upstream.ts";
import { settle } from "../../support/fake-clock.ts";
import { testUpstream } from "../../support/upstream.ts";

/** An error that says what it means. */
class Fault extends Error {
  constructor(readonly failure: Failure) {
    super("fault");
  }
}

const NEVER = new AbortController().signal;
const DOWN: Failure = { outcome: "failure", retryable: true };
const BUSY: Failure = { outcome: "success", retryable: true };
const REFUSED: Failure = { outcome: "success", retryable: false };

const classify = (error: unknown): Failure =>
  error instanceof Fault ? error.failure : { outcome: "unknown", retryable: false };

const upstreamWith = (changes: Parameters<typeof testUpstream>[1] = {}) => testUpstream(classify, changes);

/** An attempt that fails as scripted, in order, then answers "done". */
function fails(...failures: Failure[]) {
  const run = { attempts: 0, attempt: async () => "" };
  run.attempt = async () => {
    const failure = failures[run.attempts++];
    if (failure) throw new Fault(failure);
    return "done";
  };
  return run;
}

const always = (failure: Failure) => fails(...Array<Failure>(10_000).fill(failure));

/** One call whose attempts all fail, which opens the breaker. */
async function fallsOver({
  upstream,
  clock,
}: Pick<ReturnType<typeof upstreamWith>, "upstream" | "clock">): Promise<void> {
  const failing = expect(upstream.call(NEVER, always(DOWN).attempt)).rejects.toBeInstanceOf(Fault);
  await clock.advance(1_500);
  await failing;
  expect(upstream.state).toBe("open");
}

function hangs(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

describe("retries", () => {
  test("three attempts at the most, after waits whose bound doubles", async () => {
    const { upstream, clock, waits } = upstreamWith();
    const run = always(BUSY);
    const call = expect(upstream.call(NEVER, run.attempt)).rejects.toBeInstanceOf(Fault);
    await clock.advance(499);
    expect(run.attempts).toBe(1);
    await clock.advance(1);
    expect(run.attempts).toBe(2);
    await clock.advance(60_000);
    await call;
    expect(run.attempts).toBe(3);
    expect(waits).toEqual([500, 1_000]);
    expect(clock.sleeping).toBe(0);
  });

  test("waits are a random part of their bound, which stops at the maximum", async () => {
    const retry = { maxAttempts: 7, baseDelayMs: 500, maxDelayMs: 5_000 };
    const { upstream, clock, waits } = upstreamWith({ retry, random: () => 0.5 });
    const call = expect(upstream.call(NEVER, always(BUSY).attempt)).rejects.toBeInstanceOf(Fault);
    await clock.advance(60_000);
    await call;
    expect(waits).toEqual([250, 500, 1_000, 2_000, 2_500, 2_500]);
  });

  test("what can't be mended is not tried again", async () => {
    const { upstream } = upstreamWith();
    const run = always(REFUSED);
    await expect(upstream.call(NEVER, run.attempt)).rejects.toBeInstanceOf(Fault);
    expect(run.attempts).toBe(1);
  });

  test("a wait that the upstream asks for is kept, however long", async () => {
    const { upstream, clock, waits } = upstreamWith({ random: () => 0 });
    const call = upstream.call(NEVER, fails({ ...BUSY, retryAfterMs: 20_000 }).attempt);
    await clock.advance(20_000);
    expect(await call).toBe("done");
    expect(waits).toEqual([20_000]);
  });

  test("a wait that would outlast the deadline is not begun: the call fails at once", async () => {
    const { upstream, clock } = upstreamWith();
    const { signal } = deadline(clock, 10_000, () => new Error("too late"));
    const run = fails({ ...BUSY, retryAfterMs: 10_000 });
    await expect(upstream.call(signal, run.attempt)).rejects.toBeInstanceOf(Fault);
    expect(run.attempts).toBe(1);
  });

  test("the deadline of a parent counts too", async () => {
    const { upstream, clock } = upstreamWith();
    const turn = deadline(clock, 5_000, () => new Error("too late"));
    const { signal } = deadline(clock, 10_000, () => new Error("too late"), turn.signal);
    const run = fails({ ...BUSY, retryAfterMs: 6_000 });
    await expect(upstream.call(signal, run.attempt)).rejects.toBeInstanceOf(Fault);
  });

  test("an abort ends the waiting, and nothing is tried again", async () => {
    const { upstream, clock } = upstreamWith();
    const gone = new AbortController();
    const run = always(BUSY);
    const call = expect(upstream.call(gone.signal, run.attempt)).rejects.toThrow("gone");
    await clock.advance(100);
    gone.abort(new Error("gone"));
    await call;
    await clock.advance(60_000);
    expect(run.attempts).toBe(1);
    expect(clock.sleeping).toBe(0);
  });

  test("an attempt that the caller ends is not tried again", async () => {
    const { upstream } = upstreamWith();
    const gone = new AbortController();
    let attempts = 0;
    const call = upstream.call(gone.signal, (signal) => {
      attempts++;
      return hangs(signal);
    });
    await settle();
    gone.abort(new Error("gone"));
    await expect(call).rejects.toThrow("gone");
    expect(attempts).toBe(1);
  });

  test("once output was passed on nothing is tried again", async () => {
    const { upstream } = upstreamWith();
    let attempts = 0;
    const call = upstream.call(NEVER, async (_, progress) => {
      attempts++;
      progress.passedOn();
      throw new Fault(DOWN);
    });
    await expect(call).rejects.toBeInstanceOf(Fault);
    expect(attempts).toBe(1);
  });

  test("under sustained failure they add at most a fifth to the requests", async () => {
    const { upstream, clock, seen } = upstreamWith({ random: () => 0 });
    const run = always(BUSY);
    const requests = async (calls: number) => {
      const before = run.attempts;
      for (let call = 0; call < calls; call++) {
        const failing = upstream.call(NEVER, run.attempt).catch(() => undefined);
        await clock.advance(0);
        await failing;
      }
      return run.attempts - before;
    };
    // The reserve, ten retries, is gone after a few calls.
    await requests(10);
    expect(seen).toContain("retry_budget_spent");
    expect(await requests(500)).toBe(600);
  });
});

describe("the breaker", () => {
  test("opens in the course of one call, whose attempts then end", async () => {
    const retry = { maxAttempts: 10, baseDelayMs: 0, maxDelayMs: 0 };
    const { upstream, clock, seen } = upstreamWith({ retry });
    const run = always(DOWN);
    const call = expect(upstream.call(NEVER, run.attempt)).rejects.toBeInstanceOf(Fault);
    await clock.advance(0);
    await call;
    expect(run.attempts).toBe(3);
    expect(seen).toEqual(["open"]);
  });

  test("an open one fails calls without an attempt, and tells when to come back", async () => {
    const { upstream, clock } = upstreamWith({ retry: { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 } });
    const run = fails(DOWN, DOWN, DOWN);
    for (let call = 0; call < 3; call++) {
      await expect(upstream.call(NEVER, run.attempt)).rejects.toBeInstanceOf(Fault);
    }
    await clock.advance(10_000);
    await expect(upstream.call(NEVER, run.attempt)).rejects.toMatchObject({
      problem: "breaker_open",
      retryAfterMs: 20_000,
      cause: expect.any(Fault),
    });
    expect(run.attempts).toBe(3);
    await clock.advance(20_000);
    expect(await upstream.call(NEVER, run.attempt)).toBe("done");
    expect(upstream.state).toBe("closed");
  });

  test.each([
    ["refusals", REFUSED],
    ["requests to come later", BUSY],
  ])("a hundred %s leave it closed", async (_what, failure) => {
    const { upstream, clock } = upstreamWith();
    const run = always(failure);
    for (let call = 0; call < 100; call++) {
      const failing = expect(upstream.call(NEVER, run.attempt)).rejects.toBeInstanceOf(Fault);
      await clock.advance(1_500);
      await failing;
    }
    expect(upstream.state).toBe("closed");
  });

  test("callers that go away leave it closed", async () => {
    const { upstream } = upstreamWith();
    for (let call = 0; call < 10; call++) {
      const gone = new AbortController();
      const failing = upstream.call(gone.signal, hangs);
      await settle();
      gone.abort(new Error("gone"));
      await expect(failing).rejects.toThrow("gone");
    }
    expect(upstream.state).toBe("closed");
  });

  test("answers that break off count, although each had a beginning", async () => {
    const { upstream } = upstreamWith();
    for (let call = 0; call < 3; call++) {
      const answer = upstream.call(NEVER, async (_, progress) => {
        progress.passedOn();
        throw new Fault(DOWN);
      });
      await expect(answer).rejects.toBeInstanceOf(Fault);
    }
    expect(upstream.state).toBe("open");
  });

  test("a probe has passed with the first of its answer: others need not wait for the rest", async () => {
    const { upstream, clock } = upstreamWith();
    await fallsOver({ upstream, clock });
    await clock.advance(30_000);
    const gone = new AbortController();
    const probe = upstream.call(gone.signal, (signal, progress) => {
      progress.passedOn();
      return hangs(signal);
    });
    await settle();
    expect(upstream.state).toBe("closed");
    gone.abort(new Error("gone"));
    await expect(probe).rejects.toThrow("gone");
  });

  test("a probe that ignores its signal can't keep it half open", async () => {
    const { upstream, clock } = upstreamWith();
    await fallsOver({ upstream, clock });
    await clock.advance(30_000);
    const probe = expect(upstream.call(NEVER, () => new Promise(() => undefined))).rejects.toMatchObject({
      problem: "timed_out",
    });
    await clock.advance(60_000);
    await probe;
    expect(upstream.state).toBe("open");
    await clock.advance(30_000);
    expect(await upstream.call(NEVER, async () => "done")).toBe("done");
    expect(upstream.state).toBe("closed");
  });

  test("while a probe is at work, calls fail at once", async () => {
    const { upstream, clock } = upstreamWith();
    await fallsOver({ upstream, clock });
    await clock.advance(30_000);
    const gone = new AbortController();
    const probe = upstream.call(gone.signal, hangs);
    await settle();
    await expect(upstream.call(NEVER, async () => "done")).rejects.toMatchObject({
      problem: "breaker_open",
      retryAfterMs: 1_000,
    });
    gone.abort(new Error("gone"));
    await expect(probe).rejects.toThrow("gone");
    expect(await upstream.call(NEVER, async () => "done")).toBe("done");
  });
});

describe("time-outs", () => {
  const once = { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0 };

  test("an attempt without a sign of life fails, is tried again, and counts for the breaker", async () => {
    const { upstream, clock, seen } = upstreamWith({ random: () => 0 });
    const signals: AbortSignal[] = [];
    const call = expect(
      upstream.call(NEVER, (signal) => {
        signals.push(signal);
        return hangs(signal);
      }),
    ).rejects.toMatchObject({ problem: "timed_out" });
    await clock.advance(60_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await clock.advance(120_000);
    await call;
    expect(signals).toHaveLength(3);
    expect(seen).toEqual(["open"]);
  });

  test("signs of life and parts of the answer keep it going", async () => {
    const { upstream, clock } = upstreamWith({ retry: once });
    let parts = 0;
    const call = upstream.call(NEVER, async (signal, progress) => {
      for (; parts < 6; parts++) {
        await clock.sleep(59_999, signal);
        if (parts < 3) progress.alive();
        else progress.passedOn();
      }
      return hangs(signal);
    });
    const failed = expect(call).rejects.toMatchObject({ problem: "timed_out" });
    await clock.advance(6 * 59_999);
    expect(parts).toBe(6);
    await clock.advance(60_000);
    await failed;
    expect(clock.sleeping).toBe(0);
  });

  test("of 200 calls at once one times out, and 199 don't notice", async () => {
    const { upstream, clock, seen } = upstreamWith({ retry: once });
    const signals: AbortSignal[] = [];
    const calls = Array.from({ length: 200 }, (_, index) =>
      upstream.call(NEVER, async (signal) => {
        signals[index] = signal;
        if (index === 77) return hangs(signal);
        await clock.sleep(index * 250, signal);
        return index;
      }),
    );
    const outcomes = Promise.allSettled(calls);
    await clock.advance(60_000);
    const failed = (await outcomes).flatMap(({ status }, index) => (status === "rejected" ? [index] : []));
    expect(failed).toEqual([77]);
    expect(signals.flatMap(({ aborted }, index) => (aborted ? [index] : []))).toEqual([77]);
    expect(seen).toEqual([]);
    expect(upstream.state).toBe("closed");
  });
});

describe("the bulkhead", () => {
  const bulkhead = { maxConcurrent: 1, maxWaiting: 1 };

  test("a call has its place to its end; when the queue is full too, calls fail at once", async () => {
    const { upstream, seen } = upstreamWith({ bulkhead });
    const answer = Promise.withResolvers<string>();
    const first = upstream.call(NEVER, () => answer.promise);
    await settle();
    const waiting = upstream.call(NEVER, async () => "done");
    await expect(upstream.call(NEVER, async () => "done")).rejects.toMatchObject({
      problem: "bulkhead_full",
    });
    expect(seen).toEqual(["bulkhead_full"]);
    answer.resolve("first");
    expect(await first).toBe("first");
    expect(await waiting).toBe("done");
  });

  test("a place is given back by calls that fail, too", async () => {
    const { upstream } = upstreamWith({ bulkhead });
    for (let call = 0; call < 5; call++) {
      await expect(upstream.call(NEVER, fails(REFUSED).attempt)).rejects.toBeInstanceOf(Fault);
    }
    expect(await upstream.call(NEVER, async () => "done")).toBe("done");
  });
});

describe("calls that can be done without", () => {
  const spare = (upstream: ReturnType<typeof upstreamWith>["upstream"], attempt: () => Promise<string>) =>
    upstream.spareCall(NEVER, attempt);

  test("are made once, and their failures count for nothing", async () => {
    const { upstream } = upstreamWith();
    const run = always(DOWN);
    for (let call = 0; call < 10; call++) {
      await expect(spare(upstream, run.attempt)).rejects.toBeInstanceOf(Fault);
    }
    expect(run.attempts).toBe(10);
    expect(upstream.state).toBe("closed");
  });

  test("are no probe", async () => {
    const { upstream, clock } = upstreamWith();
    await fallsOver({ upstream, clock });
    await clock.advance(30_000);
    await expect(spare(upstream, async () => "done")).rejects.toMatchObject({ problem: "breaker_open" });
    expect(await upstream.call(NEVER, async () => "done")).toBe("done");
    expect(await spare(upstream, async () => "done")).toBe("done");
  });

  test("are not made while half of the places are taken", async () => {
    const { upstream } = upstreamWith({ bulkhead: { maxConcurrent: 2, maxWaiting: 1 } });
    const gone = new AbortController();
    const call = upstream.call(gone.signal, hangs);
    await settle();
    await expect(spare(upstream, async () => "done")).rejects.toMatchObject({ problem: "bulkhead_full" });
    gone.abort(new Error("gone"));
    await expect(call).rejects.toThrow("gone");
    expect(await spare(upstream, async () => "done")).toBe("done");
  });
});
