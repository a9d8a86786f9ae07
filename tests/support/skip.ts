import { test } from "@jest/globals";

export const inCI = (process.env.CI || "false") !== "false";

/** Stands in for tests for which the machine lacks something: skipped for a user, failed in CI. */
export function skipOutsideCI(name: string, reason: string): void {
  if (inCI) {
    test(name, () => {
      throw new Error(reason);
    });
  } else {
    skip(name, reason);
  }
}

/** Stands in for tests of what the server found can't do: skipped in CI too. */
export function skip(name: string, reason: string): void {
  process.stderr.write(`SKIPPED ${name}: ${reason}\n`);
  test.skip(`${name}: SKIPPED, ${reason}`, () => undefined);
}
