import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parley } from "../contestants/parley.ts";
import { startStores } from "../contestants/stores.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { measure, warmUp } from "../harness/measure.ts";
import { PARLEY } from "../report/names.ts";
import { CONVERSATIONS } from "./turns.ts";

/** In microseconds. */
const SAMPLING_INTERVAL = "500";

/** Runs the server, embedded or on MongoDB and Redis, under V8's profiler. @returns the file of the profile, in `folder`. */
export async function profileTurns(bench: Bench, folder: string, production: boolean): Promise<string> {
  const before = new Set(profiles(folder));
  {
    await using servers = new Servers(bench);
    const env = production
      ? (await (await startStores(bench, servers)).newDatabase(bench.dist)).env
      : undefined;
    const flags = ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--cpu-prof-interval", SAMPLING_INTERVAL];
    const server = await servers.start(parley(bench, { flags, env }));
    const contestant = { name: PARLEY, server, traffic: CONVERSATIONS };
    await warmUp(bench, [contestant]);
    bench.progress.tell("profiling");
    const [callers = 32] = bench.effort.callers;
    await measure(bench, contestant, { callers, ms: bench.effort.roundMs });
  }
  // It is written when the server has ended.
  const made = profiles(folder).find((name) => !before.has(name));
  if (!made) throw new Error(`The server left no profile in ${folder}`);
  return join(folder, made);
}

function profiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
}
