import { setTimeout as delay } from "node:timers/promises";
import { parley } from "../contestants/parley.ts";
import { floor } from "../contestants/plain.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { memoryMb } from "../harness/usage.ts";
import type { Figure, Section } from "../report/results.ts";
import { spread } from "../report/statistics.ts";

/** Until a server that has just started is at rest, in milliseconds. */
const SETTLE_MS = 1_000;

/** From nothing to ready, and what that takes of memory. */
export async function measureStartUp(bench: Bench): Promise<Section> {
  const times: Record<"floor" | "parley", number[]> = { floor: [], parley: [] };
  const idle: (number | undefined)[] = [];
  for (let round = 1; round <= bench.effort.rounds; round++) {
    bench.progress.tell(`start ${round} of ${bench.effort.rounds}`);
    await using servers = new Servers(bench);
    times.floor.push((await servers.start(floor(bench))).readyMs);
    const server = await servers.start(parley(bench));
    times.parley.push(server.readyMs);
    await delay(SETTLE_MS, undefined, { signal: bench.signal });
    idle.push(memoryMb(server.pid)?.now);
  }
  const figures = [
    figure("Parley, from its start to ready", "ms", times.parley),
    figure("The floor, from its start to the first connection", "ms", times.floor),
    figure("Parley's memory at rest", "MB", idle),
  ];
  return {
    id: "start-up",
    title: "Start",
    text: "The built server with a fresh database, schema included.",
    comparisons: [],
    figures: figures.filter((figure) => figure !== undefined),
  };
}

function figure(name: string, unit: string, values: readonly (number | undefined)[]): Figure | undefined {
  const found = spread(values);
  return found && { name, unit, spread: found };
}
