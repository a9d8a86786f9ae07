import { beforeEach, describe, expect, test } from "@jest/globals";
import { KeyedQueue } from "../../../../src/core/chat/keyed-queue.ts";
import { gate } from "../../../support/answers.ts";
import { FakeClock, settle } from "../../../support/fake-clock.ts";

let clock: FakeClock;
let queue: KeyedQueue;
let log: string[];
const late = new Error("late");
const full = new Error("full");
const limits = { waitMs: 100, onTimeout: () => late, maxWaiting: 2, onFull: () => full };

beforeEach(() => {
  clock = new FakeClock();
  queue = new KeyedQueue(clock);
  log = [];
});

function run(name: string, key = "k", until: Promise<unknown> = Promise.resolve()): Promise<string> {
  return queue.run(key, limits, async () => {
    log.push(name);
    await until;
    return name;
  });
}

describe("KeyedQueue", () => {
  test("runs the tasks of a key one after another, in the order they came", async () => {
    const gates = [gate(), gate(), gate()];
    const all = Promise.all(gates.map(({ opened }, index) => run(`task ${index}`, "k", opened)));
    await settle();
    expect(log).toEqual(["task 0"]);
    for (const [index, { open }] of gates.entries()) {
      open();
      await settle();
      expect(log).toHaveLength(Math.min(index + 2, 3));
    }
    expect(await all).toEqual(log);
    expect(clock.sleeping).toBe(0);
  });

  test("runs the tasks of different keys side by side", async () => {
    const held = gate();
    const both = Promise.all([run("a", "a", held.opened), run("b", "b", held.opened)]);
    await settle();
    expect(log).toEqual(["a", "b"]);
    held.open();
    await both;
  });

  test("goes on after a task that fails", async () => {
    const failed = queue.run("k", limits, () => Promise.reject(new Error("boom")));
    const next = run("next");
    await expect(failed).rejects.toThrow("boom");
    expect(await next).toBe("next");
    expect(await run("idle again")).toBe("idle again");
  });

  test("takes a task that waits too long out of the line", async () => {
    const held = gate();
    const first = run("first", "k", held.opened);
    const impatient = expect(run("impatient")).rejects.toBe(late);
    await clock.advance(60);
    const patient = run("patient");
    await clock.advance(40);
    await impatient;
    held.open();
    expect(await first).toBe("first");
    expect(await patient).toBe("patient");
    expect(log).toEqual(["first", "patient"]);
  });

  test("gives a task that has begun all the time it needs", async () => {
    const held = gate();
    const first = run("first", "k", held.opened);
    const second = run("second", "k", clock.sleep(500));
    held.open();
    await clock.advance(500);
    expect([await first, await second]).toEqual(["first", "second"]);
  });

  test("refuses a task when enough wait, and takes it when there is room again", async () => {
    const held = gate();
    const first = run("first", "k", held.opened);
    const waiting = [run("second"), run("third")];
    await expect(run("too many")).rejects.toBe(full);
    expect(await run("elsewhere", "other")).toBe("elsewhere");
    held.open();
    await Promise.all([first, ...waiting]);
    expect(await run("fourth")).toBe("fourth");
  });
});
