import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { type Bench, Servers } from "../harness/bench.ts";
import type { Figure } from "../report/results.ts";

const TIMEOUT_MS = 600_000;

/** A newcomer's first minute: a clone, then `make run` until the server is ready. npm's cache is as it is. */
export async function measureColdRun(bench: Bench): Promise<Figure> {
  const clone = join(bench.folder, "clone");
  const begun = performance.now();
  bench.progress.tell("git clone");
  execFileSync("git", ["clone", "--quiet", ".", clone]);
  const cloned = performance.now() - begun;
  bench.progress.tell("make run");
  await using servers = new Servers(bench);
  const server = await servers.start({
    name: "make run",
    command: () => ["make", "run"],
    cwd: clone,
    readyPath: "/ready",
    logFile: join(bench.folder, "make-run.log"),
    timeoutMs: TIMEOUT_MS,
  });
  const seconds = (cloned + server.readyMs) / 1000;
  return {
    name: "git clone and make run, until it is ready",
    unit: "s",
    spread: { min: seconds, median: seconds, max: seconds },
  };
}
