import type { Comparison, Series } from "./results.ts";
import { confidenceInterval, median, ratios } from "./statistics.ts";
import { comparisonTable, markdownTable, number } from "./tables.ts";

const FIGURES = [
  ["throughput", "perSecond", "more"],
  ["CPU", "cpuUs", "less"],
  ["p50", "p50", "less"],
  ["p99", "p99", "less"],
] as const;

/**
 * The base over each of the others, pair by pair. A difference counts as shown when the interval, in which
 * the true median lies with 95 % confidence, leaves out 1.
 *
 * @param starts how often the servers were started anew in the course of the rounds.
 */
export function pairsText(comparison: Comparison, starts: number): string {
  const base = comparison.series.find(({ contestant }) => contestant === comparison.base);
  const others = comparison.series.filter((one) => one !== base);
  const tables = base ? others.map((other) => pairTable(base, other, starts)) : [];
  return [comparisonTable(comparison), ...tables].join("\n\n");
}

function pairTable(base: Series, other: Series, starts: number): string {
  const header = [
    `${base.contestant} over ${other.contestant}`,
    "median",
    "95 % interval",
    "by start",
    "shows",
  ];
  const rows = FIGURES.flatMap(([name, figure, better]) => {
    const pick = ({ samples }: Series) => samples.map((sample) => sample[figure]);
    const pairs = ratios(pick(base), pick(other));
    const groups = inGroups(pairs, starts).map((group) => group.filter((ratio) => ratio !== undefined));
    if (groups.some((group) => group.length === 0)) return [];
    const [low, high] = confidenceInterval(groups);
    const shown = low > 1 ? "more" : high < 1 ? "less" : undefined;
    const verdict = shown === undefined ? "no difference" : shown === better ? "better" : "worse";
    const byStart = groups.map((group) => number(median(group))).join(" · ");
    return [[name, number(median(groups.flat())), `${number(low)} – ${number(high)}`, byStart, verdict]];
  });
  return markdownTable(header, rows);
}

function inGroups<T>(values: readonly T[], count: number): T[][] {
  const size = values.length / count;
  return Array.from({ length: count }, (_, group) => values.slice(group * size, (group + 1) * size));
}
