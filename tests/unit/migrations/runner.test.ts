import { beforeEach, describe, expect, test } from "@jest/globals";
import type { Migration } from "../../../src/migrations/migration.ts";
import { checksum } from "../../../src/migrations/plan.ts";
import { MigrationRunner } from "../../../src/migrations/runner.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type FakeState, FakeTarget, fakeState } from "./fake-target.ts";

const one: Migration<string> = { version: 1, name: "one", up: "+1", down: "-1" };
const two: Migration<string> = { version: 2, name: "two", up: "+2", down: "-2" };
const three: Migration<string> = { version: 3, name: "three", up: "+3", down: "-3" };
const all = [one, two, three];

let state: FakeState;
let target: FakeTarget;
let clock: FakeClock;
let lines: string[];
beforeEach(() => {
  state = fakeState();
  target = new FakeTarget(state);
  clock = new FakeClock();
  lines = [];
});

function runner(migrations = all, store = target) {
  return new MigrationRunner(store, migrations, { clock, report: (line) => lines.push(line) });
}

describe("up", () => {
  test("applies what is pending in order, records it, and lets go of the lock", async () => {
    await runner([one]).up();
    expect(await runner().up()).toEqual([two, three]);
    expect(state.changes).toEqual(["+1", "+2", "+3"]);
    expect(state.records.get(2)).toEqual({
      version: 2,
      name: "two",
      checksum: checksum(two),
      appliedAt: clock.now(),
    });
    expect(state.lock).toBeUndefined();
  });

  test("does nothing the second time", async () => {
    await runner().up();
    lines = [];
    expect(await runner().up()).toEqual([]);
    expect(state.changes).toHaveLength(3);
    expect(lines).toEqual([]);
  });

  test("a dry run tells the steps and changes nothing, the lock included", async () => {
    target.lock = () => Promise.reject(new Error("locked by a dry run"));
    expect(await runner().up({ dryRun: true })).toEqual(all);
    expect(state).toEqual(fakeState());
  });

  test("goes on after a migration that failed, and lets go of the lock", async () => {
    target.during = async () => {
      if (state.records.size === 1) throw new Error("no space");
    };
    await expect(runner().up()).rejects.toThrow("no space");
    expect([...state.records.keys()]).toEqual([1]);
    expect(state.lock).toBeUndefined();
    target.during = async () => undefined;
    expect(await runner().up()).toEqual([two, three]);
  });

  test("copies a store that held something aside, once, before the first change", async () => {
    await runner([one]).up();
    expect(target.backups).toEqual([]);
    await runner().up();
    expect(target.backups).toEqual([3]);
    expect(lines).toEqual([
      "Applied migration 1 (one)",
      "A copy from before the change is in copy-3",
      "Applied migration 2 (two)",
      "Applied migration 3 (three)",
    ]);
  });

  test("changes nothing when there can be no copy", async () => {
    await runner([one]).up();
    target.backup = () => Promise.reject(new Error("disk full"));
    await expect(runner().up()).rejects.toThrow("disk full");
    expect(state.changes).toEqual(["+1"]);
    expect(state.lock).toBeUndefined();
  });
});

describe("down", () => {
  beforeEach(async () => {
    await runner().up();
    state.changes.length = 0;
  });

  test("takes one step back by default", async () => {
    expect(await runner().down()).toEqual([three]);
    expect(state.changes).toEqual(["-3"]);
    expect([...state.records.keys()]).toEqual([1, 2]);
  });

  test("takes several back, the newest first", async () => {
    expect(await runner().down({ to: 1 })).toEqual([three, two]);
    expect(state.changes).toEqual(["-3", "-2"]);
    expect(target.backups).toEqual([1]);
  });

  test("a dry run changes nothing", async () => {
    expect(await runner().down({ to: 0, dryRun: true })).toEqual([three, two, one]);
    expect(state.records.size).toBe(3);
  });

  test("two at the same time take one step back", async () => {
    await Promise.all([runner().down(), clock.advance(1000), runner().down()]);
    await clock.advance(1000);
    expect(state.changes).toEqual(["-3"]);
  });

  test.each([4, -1])("there is no way down to version %i", async (to) => {
    await expect(runner().down({ to })).rejects.toThrow(RangeError);
    expect(state.records.size).toBe(3);
  });

  test("with nothing applied there is nothing to do", async () => {
    await runner().down({ to: 0 });
    expect(await runner().down()).toEqual([]);
  });
});

describe("a history that is not ours is refused", () => {
  const cases: [string, RegExp, () => void][] = [
    [
      "edited after it was applied",
      /Migration 1 \(one\).*edited since.*Put the file back/,
      () => state.records.set(1, { version: 1, name: "one", checksum: "other", appliedAt: 0 }),
    ],
    [
      "of a newer Parley",
      /schema version 4.*knows only 3.*newer Parley/,
      () => state.records.set(4, { version: 4, name: "four", checksum: "x", appliedAt: 0 }),
    ],
    [
      "with a gap",
      /version 3 without a record of migration 1/,
      () => {
        state.records.delete(1);
      },
    ],
  ];

  test.each(cases)("%s", async (_, message, change) => {
    await runner().up();
    change();
    const before = structuredClone(state);
    await expect(runner().up()).rejects.toThrow(message);
    await expect(runner().up({ dryRun: true })).rejects.toThrow(message);
    await expect(runner().down()).rejects.toThrow(message);
    await expect(runner().requireCurrent()).rejects.toThrow(message);
    expect(state).toEqual(before);
  });

  test("what was done counts, not the way back", async () => {
    await runner().up();
    expect(await runner([one, two, { ...three, down: "mended" }]).up()).toEqual([]);
    await expect(runner([one, two, { ...three, up: "edited" }]).up()).rejects.toThrow("edited since");
    await expect(runner([one, two, { ...three, name: "renamed" }]).up()).rejects.toThrow("edited since");
  });

  test("a record of an early version, without a checksum, is taken as it is", async () => {
    state.records.set(1, { version: 1, name: "one", appliedAt: 0 });
    expect(await runner().up()).toEqual([two, three]);
  });
});

test("requireCurrent names the command for an older schema", async () => {
  await runner([one]).up();
  await expect(runner().requireCurrent()).rejects.toThrow(/version 1, .* needs 3.*make migrate-up/);
  await runner().up();
  await runner().requireCurrent();
});

test("the status shows applied, pending, edited and unknown ones", async () => {
  await runner([one, two]).up();
  state.records.set(1, { version: 1, name: "one", checksum: "other", appliedAt: 5 });
  state.records.set(4, { version: 4, name: "four", appliedAt: 7 });
  expect(await runner().status()).toEqual([
    { version: 1, name: "one", state: "edited", appliedAt: 5 },
    { version: 2, name: "two", state: "applied", appliedAt: clock.now() },
    { version: 3, name: "three", state: "pending" },
    { version: 4, name: "four", state: "unknown", appliedAt: 7 },
  ]);
});

describe("the lock", () => {
  test("a second run waits, and then finds nothing to do", async () => {
    const gate = Promise.withResolvers<void>();
    target.during = () => gate.promise;
    const first = runner().up();
    const second = runner(all, new FakeTarget(state)).up();
    await clock.advance(1000);
    gate.resolve();
    expect(await first).toEqual(all);
    await clock.advance(1000);
    expect(await second).toEqual([]);
    expect(state.changes).toEqual(["+1", "+2", "+3"]);
  });

  test("is renewed as long as a change takes", async () => {
    const gate = Promise.withResolvers<void>();
    target.during = () => gate.promise;
    const first = runner().up();
    await clock.advance(300_000);
    expect(state.lock?.expiresAt).toBeGreaterThan(clock.now());
    gate.resolve();
    expect(await first).toEqual(all);
  });

  test("of a run that crashed expires", async () => {
    state.lock = { holder: "crashed", expiresAt: clock.now() + 30_000 };
    const run = runner().up();
    await clock.advance(29_000);
    expect(state.changes).toEqual([]);
    await clock.advance(2_000);
    expect(await run).toEqual(all);
  });

  test("that another run keeps is given up on, with advice", async () => {
    target.lock = async () => false;
    const failed = expect(runner().up()).rejects.toThrow(/Another process.*Wait until it has ended/);
    await clock.advance(120_000);
    await failed;
  });

  test("that was lost ends the run before its next change", async () => {
    target.during = async () => {
      state.lock = { holder: "other", expiresAt: clock.now() + 1_000_000 };
    };
    await expect(runner().up()).rejects.toThrow("taken this run's lock over");
    expect(state.changes).toEqual(["+1"]);
    expect(state.lock).toMatchObject({ holder: "other" });
  });

  test("that can't be given back does not hide the outcome", async () => {
    target.unlock = () => Promise.reject(new Error("store down"));
    expect(await runner().up()).toEqual(all);
  });
});
