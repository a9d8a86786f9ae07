import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { withPerformance } from "../../../bench/report/readme.ts";
import type { Results } from "../../../bench/report/results.ts";

test("README's performance section is what bench/results gives; make bench-readme writes it", () => {
  const readme = readFileSync("README.md", "utf8");
  const results: Results = JSON.parse(readFileSync("bench/results/full.json", "utf8"));
  expect(withPerformance(readme, results)).toBe(readme);
});

test("a README without its marks is refused", () => {
  const results: Results = JSON.parse(readFileSync("bench/results/full.json", "utf8"));
  expect(() => withPerformance("# Parley\n", results)).toThrow(/README.md should have the lines/);
});
