import { parley } from "../contestants/parley.ts";
import { floor } from "../contestants/plain.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { type Contestant, interleave, warmUp } from "../harness/measure.ts";
import { FLOOR, PARLEY } from "../report/names.ts";
import type { Section } from "../report/results.ts";
import { CONVERSATIONS } from "./turns.ts";

const DELAY_MS = 50;
const DELAYED_CALLERS = 16;
const CHUNKS = 100;
const STREAMING_CALLERS = 32;

/** A provider that takes its time, as all do: what a caller notices of the server. */
export async function measureSlowProvider(bench: Bench): Promise<Section> {
  await using servers = new Servers(bench);
  const providerSettings = `delay-${DELAY_MS}/`;
  const contestants: Contestant[] = [
    { name: FLOOR, server: await servers.start(floor(bench, providerSettings)), traffic: { kind: "turns" } },
    {
      name: PARLEY,
      server: await servers.start(parley(bench, { providerSettings })),
      traffic: CONVERSATIONS,
    },
  ];
  await warmUp(bench, contestants);
  // Each turn takes a tenth of a second: a round has to be longer to have a 99th percentile.
  const ms = 2 * bench.effort.roundMs;
  const series = await interleave(bench, contestants, { callers: DELAYED_CALLERS, ms });
  return {
    id: "slow-provider",
    title: `A provider that takes ${DELAY_MS} ms a call`,
    text: `So a turn takes ${2 * DELAY_MS} ms at least.`,
    comparisons: [{ title: "Turns", callers: DELAYED_CALLERS, unit: "turns", series, base: FLOOR }],
    figures: [],
  };
}

/** Answers in one piece and in a hundred. */
export async function measureChunks(bench: Bench): Promise<Section> {
  await using servers = new Servers(bench);
  const start = async (name: string, providerSettings: string): Promise<Contestant> => {
    const server = await servers.start(parley(bench, { name, providerSettings }));
    return { name, server, traffic: CONVERSATIONS };
  };
  const whole = "Answer in 1 chunk";
  const contestants = [
    await start(whole, "chunks-1/"),
    await start(`Answer in ${CHUNKS} chunks`, `chunks-${CHUNKS}/`),
  ];
  await warmUp(bench, contestants);
  const series = await interleave(bench, contestants, {
    callers: STREAMING_CALLERS,
    ms: bench.effort.roundMs,
  });
  return {
    id: "chunks",
    title: "An answer that is streamed by the provider",
    text: "What reading many small pieces costs Parley. Its own API answers in one piece, so there is no first token to wait for.",
    comparisons: [{ title: "Turns", callers: STREAMING_CALLERS, unit: "turns", series, base: whole }],
    figures: [],
  };
}
