import { describe, expect, test } from "@jest/globals";
import { Bulkhead, type Leave } from "../../../src/resilience/bulkhead.ts";
import { settle } from "../../support/fake-clock.ts";

const NEVER = new AbortController().signal;

async function enter(bulkhead: Bulkhead): Promise<Leave> {
  const leave = await bulkhead.enter(NEVER);
  if (!leave) throw new Error("The bulkhead is full");
  return leave;
}

describe("Bulkhead", () => {
  test("calls past the limit wait for a place, in the order they came", async () => {
    const bulkhead = new Bulkhead({ maxConcurrent: 2, maxWaiting: 10 });
    const first = await enter(bulkhead);
    await enter(bulkhead);
    const entered: string[] = [];
    const waiting = ["third", "fourth"].map((name) =>
      enter(bulkhead).then((leave) => {
        entered.push(name);
        return leave;
      }),
    );
    await settle();
    expect(entered).toEqual([]);
    first();
    await settle();
    expect(entered).toEqual(["third"]);
    (await waiting[0])?.();
    await settle();
    expect(entered).toEqual(["third", "fourth"]);
  });

  test("when all waiting places are taken too, a call is turned away at once", async () => {
    const bulkhead = new Bulkhead({ maxConcurrent: 1, maxWaiting: 1 });
    const leave = await enter(bulkhead);
    const waiting = enter(bulkhead);
    expect(await bulkhead.enter(NEVER)).toBeUndefined();
    leave();
    await waiting;
    expect(await Promise.race([bulkhead.enter(NEVER), settle().then(() => "waits")])).toBe("waits");
  });

  test("an abort ends the waiting with its reason, and frees the place in the queue", async () => {
    const bulkhead = new Bulkhead({ maxConcurrent: 1, maxWaiting: 1 });
    const leave = await enter(bulkhead);
    const gone = new AbortController();
    const waiting = bulkhead.enter(gone.signal);
    gone.abort(new Error("too late"));
    await expect(waiting).rejects.toThrow("too late");
    const next = enter(bulkhead);
    leave();
    await expect(next).resolves.toBeInstanceOf(Function);
  });

  test("a call that is over does not begin", async () => {
    const bulkhead = new Bulkhead({ maxConcurrent: 1, maxWaiting: 1 });
    expect(() => bulkhead.enter(AbortSignal.abort(new Error("too late")))).toThrow("too late");
    await enter(bulkhead);
  });

  test("a call that can be done without gets in only while half of the places are free", async () => {
    const bulkhead = new Bulkhead({ maxConcurrent: 4, maxWaiting: 10 });
    const spare = bulkhead.enterIfQuiet();
    const call = await enter(bulkhead);
    expect(bulkhead.enterIfQuiet()).toBeUndefined();
    spare?.();
    expect(bulkhead.enterIfQuiet()).toBeDefined();
    call();
  });
});
