import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { documentation } from "./outcomes.ts";

const PATH = "docs/faults.md";

test(`${PATH} is what the fault tests run; to write it anew: UPDATE_DOCS=1 npm test -- tests/e2e/faults/documentation`, () => {
  if (process.env.UPDATE_DOCS === "1") writeFileSync(PATH, documentation());
  expect(readFileSync(PATH, "utf8")).toBe(documentation());
});
