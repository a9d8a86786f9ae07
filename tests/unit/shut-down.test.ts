import { beforeEach, expect, test } from "@jest/globals";
import { type ShutDownDeps, shutDown } from "../../src/shut-down.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestLog } from "../support/test-log.ts";

const GRACE_MS = 25_000;
const never = () => new Promise<never>(() => undefined);

let clock: FakeClock;
let log: TestLog;
let steps: string[];
let deps: ShutDownDeps;

beforeEach(() => {
  clock = new FakeClock();
  log = new TestLog();
  steps = [];
  const step = async (name: string) => void steps.push(name);
  deps = {
    runner: { stop: (graceMs) => step(`turns within ${graceMs}`) },
    server: { drain: () => void steps.push("drain"), close: (graceMs) => step(`answers within ${graceMs}`) },
    idle: Promise.resolve(),
    stores: { close: () => step("stores") },
    clock,
    log,
  };
});

/** Whether it is over after so long. */
async function endsWithin(ms: number, changed: Partial<ShutDownDeps>): Promise<boolean> {
  let over = false;
  void shutDown({ ...deps, ...changed }, GRACE_MS).then(() => {
    over = true;
  });
  await clock.advance(ms);
  return over;
}

test("turns end first, then connections, then stores, and nothing is waited for without need", async () => {
  expect(await endsWithin(0, {})).toBe(true);
  expect(steps).toEqual(["drain", "turns within 25000", "answers within 1000", "stores"]);
  expect(clock.sleeping).toBe(0);
  expect(log.lines).toEqual([]);
});

test.each<[string, Partial<ShutDownDeps>, number, string]>([
  ["turns that are not handed over", { runner: { stop: never } }, 27_000, "turns"],
  ["stores that hang", { stores: { close: never } }, 1_000, "stores"],
  ["what still works with the stores", { idle: never() }, 1_000, "stores"],
])("%s do not hold it up for ever", async (_, changed, ms, told) => {
  expect(await endsWithin(ms - 1, changed)).toBe(false);
  await clock.advance(1);
  expect(log.at("warn")).toEqual([expect.stringContaining(told)]);
});

test("it ends within four seconds after the grace when everything hangs", async () => {
  expect(await endsWithin(GRACE_MS + 3_000, { runner: { stop: never }, stores: { close: never } })).toBe(
    true,
  );
  expect(steps).toEqual(["drain", "answers within 1000"]);
});

test("stores that fail to close are told of", async () => {
  const close = () => Promise.reject(new Error("no"));
  expect(await endsWithin(0, { stores: { close } })).toBe(true);
  expect(log.lines).toMatchObject([{ level: "warn", fields: { err: { message: "no" } } }]);
});
