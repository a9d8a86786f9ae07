import { beforeEach, describe, expect, test } from "@jest/globals";
import { type Admission, Breaker, type Outcome } from "../../../src/resilience/breaker.ts";
import { FakeClock } from "../../support/fake-clock.ts";

describe("Breaker", () => {
  let clock: FakeClock;
  let breaker: Breaker;
  let changes: string[];

  beforeEach(() => {
    clock = new FakeClock();
    changes = [];
    breaker = new Breaker({
      maxFailures: 3,
      cooldownMs: 30_000,
      probeTimeoutMs: 60_000,
      clock,
      onChange: (state, cause) => changes.push(cause instanceof Error ? `${state}: ${cause.message}` : state),
    });
  });

  function admit(): Admission {
    const admission = breaker.admit();
    if (!admission) throw new Error("The breaker refused a call");
    return admission;
  }

  async function calls(...outcomes: Outcome[]): Promise<void> {
    for (const outcome of outcomes) await admit().tell(outcome, new Error("it broke"));
  }

  const open = () => calls("failure", "failure", "failure");

  test("opens on the third failure in a row, and refuses calls until the cool-down is over", async () => {
    await calls("failure", "failure");
    expect(breaker.state).toBe("closed");
    await calls("failure");
    expect(breaker.state).toBe("open");
    expect(breaker.retryAfterMs).toBe(30_000);
    await clock.advance(29_999);
    expect(breaker.admit()).toBeUndefined();
    expect(breaker.retryAfterMs).toBe(1);
    await clock.advance(1);
    expect(breaker.state).toBe("half_open");
    expect(admit().isProbe).toBe(true);
    expect(changes).toEqual(["open: it broke", "half_open"]);
  });

  test("a success between failures starts the count anew; an unknown outcome does not", async () => {
    await calls("failure", "failure", "success", "failure", "failure");
    expect(breaker.state).toBe("closed");
    await calls("unknown", "unknown", "unknown");
    expect(breaker.state).toBe("closed");
    await calls("failure");
    expect(breaker.state).toBe("open");
  });

  test("failures count however long they take to come", async () => {
    for (let call = 0; call < 3; call++) {
      const slow = admit();
      await clock.advance(3_600_000);
      await slow.tell("failure");
    }
    expect(breaker.state).toBe("open");
  });

  test("a thousand calls at work hide no failures, and one failure among them opens nothing", async () => {
    const admissions = Array.from({ length: 1_000 }, admit);
    await admissions.pop()?.tell("failure");
    expect(breaker.state).toBe("closed");
    await admissions.pop()?.tell("failure");
    await admissions.pop()?.tell("failure");
    expect(breaker.state).toBe("open");
  });

  test("one probe at a time; its success closes the breaker", async () => {
    await open();
    await clock.advance(30_000);
    const probe = admit();
    expect(Array.from({ length: 100 }, () => breaker.admit())).toEqual(Array(100).fill(undefined));
    await probe.tell("success");
    expect(breaker.state).toBe("closed");
    expect(admit().isProbe).toBe(false);
    expect(changes).toEqual(["open: it broke", "half_open", "closed"]);
  });

  test("a closed breaker has forgotten the failures before the probe", async () => {
    await open();
    await clock.advance(30_000);
    await calls("success", "failure", "failure");
    expect(breaker.state).toBe("closed");
    await calls("failure");
    expect(breaker.state).toBe("open");
  });

  test("the probe's failure opens it for another cool-down", async () => {
    await open();
    await clock.advance(30_000);
    await calls("failure");
    expect(breaker.state).toBe("open");
    await clock.advance(29_999);
    expect(breaker.admit()).toBeUndefined();
    await clock.advance(1);
    await calls("success");
    expect(breaker.state).toBe("closed");
  });

  test("a probe that says nothing leaves its place to another", async () => {
    await open();
    await clock.advance(30_000);
    await calls("unknown");
    expect(breaker.state).toBe("half_open");
    const next = admit();
    expect(next.isProbe).toBe(true);
    expect(breaker.admit()).toBeUndefined();
    await next.tell("success");
    expect(breaker.state).toBe("closed");
  });

  test("a lost probe gives way to another when its time is up, and has no say any more", async () => {
    await open();
    await clock.advance(30_000);
    const lost = admit();
    await clock.advance(59_999);
    expect(breaker.admit()).toBeUndefined();
    await clock.advance(1);
    const second = admit();
    expect(second.isProbe).toBe(true);
    await lost.tell("failure");
    expect(breaker.state).toBe("half_open");
    await second.tell("success");
    expect(breaker.state).toBe("closed");
  });

  test.each<Outcome>(["success", "failure"])(
    "calls from before it opened have no say: %s",
    async (outcome) => {
      const early = Array.from({ length: 10 }, admit);
      await open();
      await clock.advance(30_000);
      const probe = admit();
      for (const call of early.slice(5)) await call.tell(outcome);
      expect(breaker.state).toBe("half_open");
      await probe.tell("success");
      for (const call of early) await call.tell(outcome);
      expect(breaker.state).toBe("closed");
    },
  );

  test("of an outcome the first word counts", async () => {
    for (let call = 0; call < 3; call++) {
      const admission = admit();
      await admission.tell("success");
      await admission.tell("failure");
    }
    expect(breaker.state).toBe("closed");
  });

  test("no timer is left behind", async () => {
    await open();
    expect(clock.sleeping).toBe(0);
  });
});
