import { describe, expect, test } from "@jest/globals";
import { parseOptions } from "../../../bench/options.ts";
import { parseVariant } from "../../../bench/scenarios/pairs.ts";

describe("what a benchmark can be asked", () => {
  test("everything, unless a part is named", () => {
    expect(parseOptions([])).toMatchObject({ mode: "full", effort: { rounds: 5, callers: [1, 32, 256] } });
    expect(parseOptions(["--quick", "--rounds", "4", "--seconds", "0.5", "--callers", "8,16"])).toMatchObject(
      {
        mode: "quick",
        effort: { rounds: 4, roundMs: 500, callers: [8, 16] },
      },
    );
  });

  test.each([
    [["--quick", "--smoke"], /Choose one of --quick, --smoke/],
    [["--rounds", "none"], /--rounds should be a number above 0, not "none"/],
    [["--faster"], /Unknown option '--faster'/],
  ])("%j is refused", (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });

  test("another Parley is a build, a setting, or both", async () => {
    expect(await parseVariant("LOG_LEVEL=silent  TURN_LEASE_SECONDS=5")).toEqual({
      name: "LOG_LEVEL=silent TURN_LEASE_SECONDS=5",
      dist: undefined,
      env: { LOG_LEVEL: "silent", TURN_LEASE_SECONDS: "5" },
    });
    await expect(parseVariant("nowhere/dist LOG_LEVEL=silent")).rejects.toThrow(
      /There is no build in .*nowhere\/dist/,
    );
    await expect(parseVariant(" ")).rejects.toThrow(/should be the folder of another build/);
  });
});
