import { parley } from "../contestants/parley.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { type Contestant, interleave, measure, warmUp } from "../harness/measure.ts";
import type { Traffic } from "../load/traffic.ts";
import { PARLEY } from "../report/names.ts";
import type { Section } from "../report/results.ts";
import { CONVERSATIONS } from "./turns.ts";

/** So that ten turns fill it: longer conversations then send the same history. */
const HISTORY_TOKENS = "400";
const TURNS_A_ROUND = 20;
/** Turns that are spent on growing conversations of one length: shorter ones are more, and so grow less in the rounds. */
const GROWN_TURNS = 1_000;
/** For one length: on a slow machine the longest conversation does not get as long. */
const GROWTH_MS = 40_000;

/** Does a turn cost more in a longer conversation? */
export async function measureLength(bench: Bench, lengths: readonly number[]): Promise<Section> {
  await using servers = new Servers(bench);
  const server = await servers.start(parley(bench, { env: { HISTORY_TOKENS } }));
  await warmUp(bench, [{ name: PARLEY, server, traffic: CONVERSATIONS }]);
  const contestants: Contestant[] = [];
  for (const length of lengths) {
    bench.progress.tell(`growing conversations of ${length} turns`);
    const acknowledged = new Map<string, number>();
    const callers = Math.max(1, Math.min(TURNS_A_ROUND, Math.floor(GROWN_TURNS / length)));
    const traffic: Traffic = { kind: "conversations", turns: length };
    const growth = { callers, operations: length, ms: GROWTH_MS };
    await measure(bench, { name: PARLEY, server, traffic, acknowledged }, growth);
    const name = `${Math.max(...acknowledged.values())} turns`;
    const conversationIds = [...acknowledged.keys()];
    contestants.push({ name, server, traffic: { kind: "continue", conversationIds } });
  }
  const [base] = contestants;
  // Short rounds, and more of them: the shortest conversations must not grow much meanwhile.
  const rounds = 2 * bench.effort.rounds;
  const series = await interleave(bench, contestants, { callers: 1, operations: TURNS_A_ROUND }, rounds);
  return {
    id: "length",
    title: "Longer conversations",
    text: `The next turn of conversations of different lengths, with the same history sent (HISTORY_TOKENS=${HISTORY_TOKENS}, which ten turns fill).`,
    comparisons: [{ title: "One caller", callers: 1, unit: "turns", series, base: base?.name ?? "" }],
    figures: [],
  };
}
