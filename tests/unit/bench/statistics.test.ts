import { describe, expect, test } from "@jest/globals";
import {
  confidenceInterval,
  median,
  percentile,
  ratios,
  slope,
  spread,
} from "../../../bench/report/statistics.ts";

describe("the statistics of measurements", () => {
  test("a percentile is the value that so many are at or below", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(percentile(hundred, 50)).toBe(50);
    expect(percentile(hundred, 99)).toBe(99);
    expect(percentile(hundred, 100)).toBe(100);
    expect(percentile([7], 99)).toBe(7);
    expect(percentile([], 50)).toBeNaN();
  });

  test("the median is the one in the middle, or lies between two", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  test("a spread leaves out what was not measured", () => {
    expect(spread([2, undefined, Number.NaN, 6, 4])).toEqual({ min: 2, median: 4, max: 6 });
    expect(spread([undefined])).toBeUndefined();
  });

  test("ratios are taken round by round", () => {
    expect(ratios([10, 30, 5], [5, 10, undefined])).toEqual([2, 3, undefined]);
    expect(ratios([1], [0])).toEqual([undefined]);
  });

  test("the interval of the median is narrow for what agrees, and always the same", () => {
    const agreeing = [
      [1.1, 1.11, 1.09, 1.1],
      [1.1, 1.12, 1.08, 1.1],
      [1.11, 1.1, 1.09, 1.12],
    ];
    const [low, high] = confidenceInterval(agreeing);
    expect(low).toBeGreaterThan(1);
    expect(high).toBeLessThan(1.2);
    expect(confidenceInterval(agreeing)).toEqual([low, high]);
  });

  test("the interval is as wide as the groups differ, however well each agrees in itself", () => {
    const [low, high] = confidenceInterval([
      [1.3, 1.31, 1.3],
      [0.8, 0.81, 0.8],
      [1.2, 1.21, 1.2],
      [0.9, 0.91, 0.9],
    ]);
    expect(low).toBeLessThan(1);
    expect(high).toBeGreaterThan(1);
  });

  test("the slope is that of the line through the points", () => {
    expect(
      slope([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
    ).toBeCloseTo(2);
    expect(
      slope([
        [1, 4],
        [2, 4],
      ]),
    ).toBe(0);
  });
});
