import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provider } from "../contestants/plain.ts";
import type { Options } from "../options.ts";
import { type Bench, Servers } from "./bench.ts";
import { LoadGenerator } from "./load.ts";
import { Progress } from "./progress.ts";
import { killAll } from "./server.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs `work` with a load generator, the fake provider and a folder for data, which are gone when this
 * returns, throws, or is interrupted: the first Ctrl-C stops in order, the second at once.
 */
export async function withBench<T>(options: Options, work: (bench: Bench) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(options.data ?? defaultFolder(), "parley-bench-"));
  const interrupted = new AbortController();
  const progress = new Progress();
  const load = new LoadGenerator();
  const atExit = () => {
    killAll();
    load.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const onSignal = () => {
    if (interrupted.signal.aborted) process.exit(130);
    progress.note("Stopping …");
    interrupted.abort(new Error("Interrupted"));
    // What is being measured ends at once.
    load.stop();
  };
  process.once("exit", atExit);
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    const { effort, dist } = options;
    await using servers = new Servers({ signal: interrupted.signal });
    const model = await servers.start(provider({ folder }));
    return await work({
      effort,
      dist,
      load,
      progress,
      folder,
      signal: interrupted.signal,
      providerUrl: (settings = "") => `${model.url}/${settings}v1`,
    });
  } finally {
    progress.clear();
    for (const name of SIGNALS) process.off(name, onSignal);
    process.off("exit", atExit);
    atExit();
  }
}

/** Not the system's folder for temporary files, which often is memory: commits must reach a disk. */
function defaultFolder(): string {
  return process.platform === "linux" ? "/var/tmp" : tmpdir();
}
