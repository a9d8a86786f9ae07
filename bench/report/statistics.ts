/** The nearest-rank percentile of numbers in ascending order; NaN when there are none. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The middle one, or the mean of the two in the middle; NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** How a figure came out over the rounds. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Of the numbers that are there; undefined when there are none. */
export function spread(values: readonly (number | undefined)[]): Spread | undefined {
  const known = values.filter((value) => value !== undefined).filter(Number.isFinite);
  if (known.length === 0) return undefined;
  return { min: Math.min(...known), median: median(known), max: Math.max(...known) };
}

/**
 * Round by round, the one over the other: what disturbs a machine for longer than a round disturbs both,
 * and is gone from their ratio.
 */
export function ratios(
  over: readonly (number | undefined)[],
  under: readonly (number | undefined)[],
): (number | undefined)[] {
  return over.map((value, round) => {
    const base = under[round];
    return value === undefined || base === undefined || base === 0 ? undefined : value / base;
  });
}

/**
 * Where the true median lies with 95 % confidence, by the bootstrap: the medians of many samples, each of
 * groups drawn from the groups and values drawn from those. Values of a group have something in common, such
 * as the process that they were measured on, so it takes several groups to be sure of anything. The same
 * values give the same interval.
 */
export function confidenceInterval(
  groups: readonly (readonly number[])[],
  samples = 2_000,
): [low: number, high: number] {
  const random = seededRandom(groups.length);
  const draw = <T>(from: readonly T[]): T[] => from.map(() => from[Math.floor(random() * from.length)] as T);
  const medians = Float64Array.from({ length: samples }, () => median(draw(groups).flatMap(draw))).sort();
  return [percentile(medians, 2.5), percentile(medians, 97.5)];
}

/** The slope of the line that fits the points best (least squares): how much y grows with each x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
