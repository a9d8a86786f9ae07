import { describe, expect, test } from "@jest/globals";
import { deadline, orAborted, timeLeft } from "../../../src/core/deadline.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";

const late = new Error("too late");
const over = new Error("over");

describe("deadline", () => {
  test("aborts with its reason when the time is up, not before", async () => {
    const clock = new FakeClock();
    const { signal } = deadline(clock, 100, () => late);
    await clock.advance(99);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    expect(signal.reason).toBe(late);
  });

  test("aborts with the parent's reason when that comes first", async () => {
    const clock = new FakeClock();
    const parent = new AbortController();
    const { signal } = deadline(clock, 100, () => late, parent.signal);
    parent.abort(over);
    expect(signal.reason).toBe(over);
    await clock.advance(200);
    expect(signal.reason).toBe(over);
  });

  test("has aborted at once under a parent that has", () => {
    expect(deadline(new FakeClock(), 100, () => late, AbortSignal.abort(over)).signal.reason).toBe(over);
  });

  test("once cleared neither time nor parent abort it, and no timer is left", async () => {
    const clock = new FakeClock();
    const parent = new AbortController();
    const { signal, clear } = deadline(clock, 100, () => late, parent.signal);
    clear();
    expect(clock.sleeping).toBe(0);
    parent.abort(over);
    await clock.advance(200);
    expect(signal.aborted).toBe(false);
  });
});

describe("orAborted", () => {
  test("settles as the work does", async () => {
    const { signal } = new AbortController();
    expect(await orAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(orAborted(Promise.reject(late), signal)).rejects.toBe(late);
  });

  test("rejects with the signal's reason when that aborts first", async () => {
    const abort = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const failed = expect(orAborted(promise, abort.signal)).rejects.toBe(over);
    abort.abort(over);
    await failed;
    reject(late);
    await settle();
  });

  test("under an aborted signal it rejects, and a failure of the work is nobody's", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    await expect(orAborted(Promise.reject(late), AbortSignal.abort(over))).rejects.toBe(over);
    await settle();
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});

describe("timeLeft", () => {
  test("counts down to the deadline, or to a parent's that is nearer", async () => {
    const clock = new FakeClock();
    const parent = deadline(clock, 100, () => late);
    const longer = deadline(clock, 500, () => late, parent.signal);
    const shorter = deadline(clock, 40, () => late, longer.signal);
    await clock.advance(30);
    expect([parent, longer, shorter].map(({ signal }) => timeLeft(signal, clock))).toEqual([70, 70, 10]);
  });

  test("has no end without a deadline", () => {
    expect(timeLeft(new AbortController().signal, new FakeClock())).toBe(Number.POSITIVE_INFINITY);
  });
});
