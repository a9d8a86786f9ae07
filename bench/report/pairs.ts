import type { Comparison, Series } from "./results.ts";
import { confidenceInterval, median, ratios } from "./statistics.ts";
import { comparisonTable, markdownTable, number } from "./tables.ts";

const FIGURES = [
  ["turns/s", "perSecond", "more"],
  ["CPU", "cpuUs", "less"],
  ["p50", "p50", "less"],
  ["p99", "p99", "less"],
] as const;

/**
 * The base over each of the others, pair by pair. A difference counts as shown when the interval, in which
 * the true median lies with 95 % confidence, leaves out 1.
 */
export function pairsText(comparison: Comparison): string {
  const base = comparison.series.find(({ contestant }) => contestant === comparison.base);
  const others = comparison.series.filter((one) => one !== base);
  const tables = base ? others.map((other) => pairTable(base, other)) : [];
  return [comparisonTable(comparison), ...tables].join("\n\n");
}

function pairTable(base: Series, other: Series): string {
  const header = [
    `${base.contestant} over ${other.contestant}`,
    "median",
    "95 % interval",
    "least – most",
    "shows",
  ];
  const rows = FIGURES.flatMap(([name, figure, better]) => {
    const pick = ({ samples }: Series) => samples.map((sample) => sample[figure]);
    const pairs = ratios(pick(base), pick(other)).filter((ratio) => ratio !== undefined);
    if (pairs.length === 0) return [];
    const [low, high] = confidenceInterval(pairs);
    const shown = low > 1 ? "more" : high < 1 ? "less" : undefined;
    const verdict = shown === undefined ? "no difference" : shown === better ? "better" : "worse";
    const range = `${number(Math.min(...pairs))} – ${number(Math.max(...pairs))}`;
    return [[name, number(median(pairs)), `${number(low)} – ${number(high)}`, range, verdict]];
  });
  return markdownTable(header, rows);
}
