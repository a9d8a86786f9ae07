import type { Traffic } from "../load/traffic.ts";
import type { Sample, Series } from "../report/results.ts";
import type { Bench } from "./bench.ts";
import type { RunningServer } from "./server.ts";
import { cpuMs, memoryMb, resetPeak } from "./usage.ts";

/** A server and what is asked of it. */
export interface Contestant {
  readonly name: string;
  readonly server: RunningServer;
  readonly traffic: Traffic;
  /** Adds up the turns that were acknowledged, by conversation; they must be in the store afterwards. */
  readonly acknowledged?: Map<string, number>;
}

export interface Round {
  readonly callers: number;
  /** How long, in milliseconds, or how many operations of each caller; of both, what comes first. */
  readonly ms?: number;
  readonly operations?: number;
}

/** Has the load generator ask one server, and looks at what that cost it. */
export async function measure(bench: Bench, contestant: Contestant, round: Round): Promise<Sample> {
  bench.signal.throwIfAborted();
  const { server, traffic, acknowledged } = contestant;
  resetPeak(server.pid);
  const cpuBefore = cpuMs(server.pid);
  const ownBefore = cpuMs(bench.load.pid);
  const seen = await bench.load.run({ url: server.url, traffic, ...round }).catch((error) => {
    bench.signal.throwIfAborted();
    throw error;
  });
  const cpuAfter = cpuMs(server.pid);
  const ownAfter = cpuMs(bench.load.pid);
  for (const [conversation, turns] of seen.acknowledged) {
    acknowledged?.set(conversation, (acknowledged.get(conversation) ?? 0) + turns);
  }
  const { operations, errors, firstError, elapsedMs, p50, p99, max } = seen;
  const cpu = difference(cpuAfter, cpuBefore);
  const own = difference(ownAfter, ownBefore);
  return {
    operations,
    errors,
    firstError,
    perSecond: (operations / elapsedMs) * 1000,
    p50,
    p99,
    max,
    cpuUs: cpu === undefined || operations === 0 ? undefined : (cpu * 1000) / operations,
    peakMb: memoryMb(server.pid)?.peak,
    generatorBusy: own === undefined ? undefined : own / elapsedMs,
  };
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}

/**
 * Until the code of each server has been compiled as well as it will be, or that has taken too long.
 *
 * @throws Error when one answers nothing.
 */
export async function warmUp(bench: Bench, contestants: readonly Contestant[], callers = 32): Promise<void> {
  const { warmUpMs: ms, warmUpOperations } = bench.effort;
  const operations = Math.ceil(warmUpOperations / callers);
  for (const contestant of contestants) {
    bench.progress.tell(`warming up ${contestant.name}`);
    const { operations: done, firstError } = await measure(bench, contestant, { callers, ms, operations });
    if (done === 0) throw new Error(`${contestant.name} answers nothing: ${firstError}`);
  }
}

/**
 * Measures the contestants by turns, every other round in reverse: a disturbance that lasts hits all of
 * them, and a drift none more than another.
 */
export async function interleave(
  bench: Bench,
  contestants: readonly Contestant[],
  round: Round,
  rounds: number = bench.effort.rounds,
): Promise<Series[]> {
  const samples = new Map(contestants.map((contestant): [Contestant, Sample[]] => [contestant, []]));
  for (let number = 1; number <= rounds; number++) {
    for (const contestant of number % 2 === 1 ? contestants : contestants.toReversed()) {
      bench.progress.tell(`${round.callers} callers · round ${number} of ${rounds} · ${contestant.name}`);
      samples.get(contestant)?.push(await measure(bench, contestant, round));
    }
  }
  return contestants.map((contestant) => ({
    contestant: contestant.name,
    samples: samples.get(contestant) ?? [],
  }));
}
