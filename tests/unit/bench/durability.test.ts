import { expect, test } from "@jest/globals";
import { compareTurns } from "../../../bench/harness/durability.ts";

test("a turn that was acknowledged and is not in the store is missing; others may be there too", () => {
  const acknowledged = new Map([
    ["kept", 10],
    ["cut", 10],
    ["lost", 2],
  ]);
  const stored = new Map([
    ["kept", 11],
    ["cut", 9],
    ["another's", 5],
  ]);
  expect(compareTurns(acknowledged, stored)).toEqual({ acknowledged: 22, missing: 3 });
});
