import { execFileSync } from "node:child_process";
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import type { Machine } from "../report/results.ts";
import { percentile } from "../report/statistics.ts";

const SYNCS = 100;

/** @param folder where servers keep their data. */
export function describeMachine(folder: string): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model ?? "unknown",
    cores: cpus.length,
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
    loadAverage: os.loadavg()[0] ?? Number.NaN,
    syncMs: measureSync(folder),
  };
}

/** The commit that is checked out, and whether it was changed since, but for earlier results. */
export function describeCommit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
  try {
    const changes = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":!/bench/results");
    return git("describe", "--always") + (changes === "" ? "" : "-dirty");
  } catch {
    return "unknown";
  }
}

function measureSync(folder: string): Machine["syncMs"] {
  const file = openSync(join(folder, "sync-probe"), "w");
  const block = Buffer.alloc(4_096);
  const times = Array.from({ length: SYNCS }, (_, index) => {
    writeSync(file, block, 0, block.length, index * block.length);
    const begun = performance.now();
    fdatasyncSync(file);
    return performance.now() - begun;
  }).sort((a, b) => a - b);
  closeSync(file);
  return { min: times[0] ?? Number.NaN, median: percentile(times, 50), max: times.at(-1) ?? Number.NaN };
}
