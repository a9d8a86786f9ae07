import { modelCaller } from "../contestants/plain.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { type Contestant, interleave, warmUp } from "../harness/measure.ts";
import { BARE_CALL, PARLEY } from "../report/names.ts";
import type { Comparison, Sample } from "../report/results.ts";

/** The way to a model, and how the caller of servers/model-caller.ts calls it. */
const WAYS = [
  [PARLEY, "parley"],
  [BARE_CALL, "bare"],
  ["SDK over a thin fetch", "sdk-thin"],
  ["SDK over Node's fetch", "sdk"],
] as const;

/** So many that what they are asked for by costs next to nothing beside them. */
const CALLS_PER_REQUEST = 10;

/** A single call of a model, streamed in so many chunks, by several ways. */
export async function compareModelCalls(bench: Bench, chunks: number, callers: number): Promise<Comparison> {
  await using servers = new Servers(bench);
  const contestants: Contestant[] = [];
  for (const [name, caller] of WAYS) {
    const settings = { caller, calls: CALLS_PER_REQUEST, providerSettings: `chunks-${chunks}/` };
    contestants.push({
      name,
      server: await servers.start(modelCaller(bench, name, settings)),
      traffic: { kind: "request", request: { method: "POST", path: "/" } },
    });
  }
  await warmUp(bench, contestants, callers);
  const series = await interleave(bench, contestants, { callers, ms: bench.effort.roundMs });
  return {
    title: chunks === 1 ? "Calls answered in 1 chunk" : `Calls answered in ${chunks} chunks`,
    callers,
    unit: "calls",
    series: series.map((one) => ({ ...one, samples: one.samples.map(perCall) })),
    base: PARLEY,
  };
}

function perCall(sample: Sample): Sample {
  const { operations, perSecond, p50, p99, max, cpuUs } = sample;
  return {
    ...sample,
    operations: operations * CALLS_PER_REQUEST,
    perSecond: perSecond * CALLS_PER_REQUEST,
    p50: p50 / CALLS_PER_REQUEST,
    p99: p99 / CALLS_PER_REQUEST,
    max: max / CALLS_PER_REQUEST,
    cpuUs: cpuUs === undefined ? undefined : cpuUs / CALLS_PER_REQUEST,
  };
}
