import { describe, expect, test } from "@jest/globals";
import { Counter, Histogram, Registry } from "prom-client";
import { CappedLabel } from "../../../src/observability/metrics/capped-label.ts";
import { Tally, Timings } from "../../../src/observability/metrics/tally.ts";

test("a tally reads as prom-client's own counter does", async () => {
  const labels = ["tool", "outcome"] as const;
  const [ours, theirs] = [new Registry(), new Registry()];
  const tally = new Tally({ name: "calls_total", help: "Calls", labels, registry: ours });
  const counter = new Counter({
    name: "calls_total",
    help: "Calls",
    labelNames: labels,
    registers: [theirs],
  });
  for (const [tool, outcome] of [
    ["a", "ok"],
    ["b", 'a "quoted"\nline'],
    ["a", "ok"],
  ] as const) {
    tally.of(tool, outcome).value++;
    counter.inc({ tool, outcome });
  }
  expect(await ours.metrics()).toBe(await theirs.metrics());
});

test("a tally without labels reads 0 from the start", async () => {
  const registry = new Registry();
  const tally = new Tally({ name: "faults_total", help: "Faults", labels: [], registry });
  expect(await registry.metrics()).toContain("\nfaults_total 0\n");
  tally.of().value += 2;
  expect(await registry.metrics()).toContain("\nfaults_total 2\n");
});

test("timings read as prom-client's own histogram does", async () => {
  const labels = ["store"] as const;
  const bounds = [0.1, 1, 10];
  const [ours, theirs] = [new Registry(), new Registry()];
  const timings = new Timings({ name: "t_seconds", help: "Time", labels, registry: ours }, bounds);
  const histogram = new Histogram({
    name: "t_seconds",
    help: "Time",
    labelNames: labels,
    buckets: bounds,
    registers: [theirs],
  });
  for (const value of [0, 0.1, 0.11, 1, 5, 10, 10.5, 1_000]) {
    for (const store of ["one", "two"]) {
      timings.of(store).observe(value);
      histogram.observe({ store }, value);
    }
  }
  expect(await ours.metrics()).toBe(await theirs.metrics());
});

describe("a capped label", () => {
  test("tells the first values apart, and no more", () => {
    const label = new CappedLabel(2);
    expect(["a", "b", "c", "a", "d", "b"].map((value) => label.of(value))).toEqual([
      "a",
      "b",
      "other",
      "a",
      "other",
      "b",
    ]);
  });

  test("leaves what was not given empty", () => {
    const label = new CappedLabel(0);
    expect([label.of(""), label.of("a")]).toEqual(["", "other"]);
  });
});
