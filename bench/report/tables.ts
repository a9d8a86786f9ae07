import type { Comparison, Figure, Sample, Section, Series } from "./results.ts";
import { ratios, type Spread, spread } from "./statistics.ts";

/** A comparison as a Markdown table: medians over the rounds, and ratios to the base round by round. */
export function comparisonTable(comparison: Comparison): string {
  const { unit, series, base } = comparison;
  const baseSeries = series.find(({ contestant }) => contestant === base);
  const header = [
    "",
    `${unit}/s`,
    "p50 ms",
    "p99 ms",
    "CPU µs",
    "peak MB",
    "errors",
    `of ${base}'s ${unit}/s`,
  ];
  const rows = series.map((one) => [
    one.contestant,
    middle(one, "perSecond"),
    middle(one, "p50"),
    middle(one, "p99"),
    middle(one, "cpuUs"),
    middle(one, "peakMb"),
    String(one.samples.reduce((sum, { errors }) => sum + errors, 0)),
    one === baseSeries || !baseSeries ? "1" : showSpread(ratioOf(one, baseSeries, "perSecond")),
  ]);
  return markdownTable(header, rows);
}

/** One contestant over each of the others: median and, in brackets, the least and the most. */
function ratioTable(comparison: Comparison, contestant: string): string | undefined {
  const own = comparison.series.find((one) => one.contestant === contestant);
  if (!own) return undefined;
  const others = comparison.series.filter((one) => one !== own);
  const header = [`${contestant} over`, `${comparison.unit}/s`, "p50", "p99", "CPU"];
  const rows = others.map((other) => [
    other.contestant,
    ...(["perSecond", "p50", "p99", "cpuUs"] as const).map((figure) =>
      showSpread(ratioOf(own, other, figure)),
    ),
  ]);
  return markdownTable(header, rows);
}

export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, unit, spread: { min, median, max } }) => [
    name,
    `${number(median)} ${unit}`,
    `${number(min)} – ${number(max)}`,
  ]);
  return markdownTable(["", "median", "least – most"], rows);
}

export function sectionText(section: Section, own: readonly string[]): string {
  const parts = [`### ${section.title}`, section.text];
  for (const comparison of section.comparisons) {
    parts.push(`**${comparison.title}**`, comparisonTable(comparison));
    const unbounded = comparison.series.filter(isBoundByGenerator).map(({ contestant }) => contestant);
    for (const problem of problems(comparison)) parts.push(problem);
    if (unbounded.length > 0)
      parts.push(`The load generator had no more to give to: ${unbounded.join(", ")}.`);
    for (const contestant of own) {
      const table = comparison.series.length > 2 ? ratioTable(comparison, contestant) : undefined;
      if (table) parts.push(table);
    }
  }
  if (section.figures.length > 0) parts.push(figureTable(section.figures));
  return parts.join("\n\n");
}

/** What went wrong first with each contestant that had errors. */
function problems({ series }: Comparison): string[] {
  return series.flatMap(({ contestant, samples }) => {
    const first = samples.find(({ firstError }) => firstError !== undefined)?.firstError;
    return first === undefined ? [] : [`The first error of ${contestant}: \`${first}\``];
  });
}

function isBoundByGenerator({ samples }: Series): boolean {
  return (spread(samples.map(({ generatorBusy }) => generatorBusy))?.median ?? 0) > 0.9;
}

export function ratioOf(
  over: Series,
  under: Series,
  figure: "perSecond" | "p50" | "p99" | "cpuUs",
): Spread | undefined {
  return spread(ratios(values(over, figure), values(under, figure)));
}

function showSpread(value: Spread | undefined): string {
  if (!value) return "–";
  return `${number(value.median)} (${number(value.min)} – ${number(value.max)})`;
}

/** With three significant digits, thousands separated. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = header.map((_, column) => (column === 0 ? "---" : "---:"));
  return [line(header), line(rule), ...rows.map(line)].join("\n");
}

function middle(series: Series, figure: "perSecond" | "p50" | "p99" | "cpuUs" | "peakMb"): string {
  const found = spread(values(series, figure));
  return found ? number(found.median) : "–";
}

function values(
  { samples }: Series,
  figure: keyof Sample & ("perSecond" | "p50" | "p99" | "cpuUs" | "peakMb"),
): (number | undefined)[] {
  return samples.map((sample) => sample[figure]);
}
