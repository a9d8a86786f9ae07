import { provenance } from "./page.ts";
import type { Results } from "./results.ts";
import { comparisonTable, figureTable, number } from "./tables.ts";

const BEGIN = "<!-- Made by make bench-readme from bench/results/full.json -->";
const END = "<!-- End of what make bench-readme makes -->";

/** README's text with its performance section made anew. @throws Error when its marks are missing. */
export function withPerformance(readme: string, results: Results): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md should have the lines "${BEGIN}" and "${END}"`);
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${performanceText(results)}\n\n${readme.slice(end)}`;
}

function performanceText(results: Results): string {
  const turns = results.sections.find(({ id }) => id === "turns");
  const comparison = turns?.comparisons.find(({ callers }) => callers === 32);
  const startUp = results.sections.find(({ id }) => id === "start-up");
  if (!turns || !comparison || !startUp)
    throw new Error("The results lack the comparison of turns at 32 callers");
  const kept = results.durability.map(
    ({ name, acknowledged, missing }) =>
      `${name}: ${number(acknowledged)} turns acknowledged, ${missing} missing`,
  );
  return [
    turns.text,
    "![Turns a second](bench/results/full.svg)",
    comparisonTable(comparison),
    `Looked up in the stores afterwards: ${kept.join("; ")}.`,
    figureTable(startUp.figures),
    provenance(results),
    "All figures: [bench/results/full.md](bench/results/full.md).",
  ].join("\n\n");
}
