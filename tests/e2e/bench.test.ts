import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import type { Results } from "../../bench/report/results.ts";
import { NODE } from "../support/server.ts";

test("make bench works: the servers start, answer every turn, and keep what they acknowledged", async () => {
  const data = await mkdtemp(join(tmpdir(), "parley-bench-test-"));
  try {
    await promisify(execFile)(NODE, [resolve("bench/main.ts"), "--smoke", "--data", data]);
    const results: Results = JSON.parse(await readFile("bench/results/smoke.json", "utf8"));

    const comparisons = results.sections.flatMap((section) => section.comparisons);
    const samples = comparisons.flatMap(({ series }) => series.flatMap((one) => one.samples));
    expect(samples.length).toBeGreaterThan(10);
    expect(samples.filter(({ errors, operations }) => errors > 0 || operations === 0)).toEqual([]);
    expect(results.durability).toEqual([
      { name: "Parley, embedded", acknowledged: expect.any(Number), missing: 0 },
    ]);
    expect(results.durability[0]?.acknowledged).toBeGreaterThan(0);
    expect(results.absent).toEqual([]);
  } finally {
    await rm(data, { recursive: true });
  }
}, 180_000);
