import type { Comparison } from "./results.ts";
import { spread } from "./statistics.ts";
import { number } from "./tables.ts";

const WIDTH = 720;
const LABELS = 190;
const VALUES = 80;
const ROW = 28;
const TOP = 44;
const PLOT = WIDTH - LABELS - VALUES;

/** A comparison's throughput as an SVG: a bar to the median of the rounds, a line from the least to the most. */
export function chart(comparison: Comparison, own: readonly string[]): string {
  const bars = comparison.series
    .flatMap(({ contestant, samples }) => {
      const found = spread(samples.map(({ perSecond }) => perSecond));
      return found ? [{ contestant, ...found }] : [];
    })
    .sort((a, b) => b.median - a.median);
  const most = Math.max(...bars.map(({ max }) => max));
  const x = (value: number) => (LABELS + (value / most) * PLOT).toFixed(1);
  const rows = bars.map(({ contestant, min, median, max }, index) => {
    const y = TOP + index * ROW;
    const middle = y + ROW / 2;
    const width = ((median / most) * PLOT).toFixed(1);
    return [
      `<text x="${LABELS - 8}" y="${middle + 4}" text-anchor="end">${escapeXml(contestant)}</text>`,
      `<rect x="${LABELS}" y="${y + 5}" width="${width}" height="${ROW - 10}" fill="${own.includes(contestant) ? "#2f6fde" : "#a9b4c2"}"/>`,
      `<line x1="${x(min)}" x2="${x(max)}" y1="${middle}" y2="${middle}" stroke="#222"/>`,
      `<text x="${Number(x(max)) + 8}" y="${middle + 4}">${number(median)}</text>`,
    ].join("\n");
  });
  const height = TOP + bars.length * ROW + 12;
  const title = `${comparison.unit[0]?.toUpperCase()}${comparison.unit.slice(1)} a second, ${comparison.callers} callers, one server process`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" role="img" aria-label="${escapeXml(title)}">
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="26" font-size="15" font-weight="bold">${escapeXml(title)}</text>
${rows.join("\n")}
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
