import { parley } from "../contestants/parley.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { Inspector } from "../harness/inspector.ts";
import { type Contestant, interleave, measure, warmUp } from "../harness/measure.ts";
import { freePort } from "../harness/server.ts";
import { memoryMb } from "../harness/usage.ts";
import { PARLEY } from "../report/names.ts";
import type { Figure, Section } from "../report/results.ts";
import { type Spread, slope } from "../report/statistics.ts";

const CALLERS = 32;
/** So that each conversation's turns cost the same. */
const HISTORY_TOKENS = "400";
const TURNS_A_ROUND = 50;
const FEW = 10;
const SOME = 1_000;

/** Many turns, each a conversation of its own: memory as they go by, and what a turn costs afterwards. */
export async function measureSoak(bench: Bench, turns: number): Promise<Section[]> {
  await using servers = new Servers(bench);
  const port = await freePort();
  const env = { HISTORY_TOKENS };
  const server = await servers.start(parley(bench, { env, flags: [`--inspect=127.0.0.1:${port}`] }));
  const acknowledged = new Map<string, number>();
  const each = { kind: "conversations", turns: 1 } as const;
  const points: { turns: number; heapMb: number; rssMb: number }[] = [];
  const steps = bench.effort.rounds;
  for (let step = 1; step <= steps; step++) {
    bench.progress.tell(`turn ${acknowledged.size} of ${turns}`);
    const operations = Math.ceil(turns / steps / CALLERS);
    await measure(
      bench,
      { name: PARLEY, server, traffic: each, acknowledged },
      { callers: CALLERS, operations },
    );
    // Read before garbage is collected for the other figure.
    const rssMb = memoryMb(server.pid)?.now ?? Number.NaN;
    using inspector = await Inspector.connect(port);
    points.push({ turns: acknowledged.size, heapMb: await inspector.liveHeapMb(), rssMb });
  }

  const contestants: Contestant[] = [];
  for (const count of [FEW, SOME]) {
    const name = `${count} conversations`;
    const other = await servers.start(parley(bench, { name, env }));
    contestants.push(await withConversations(bench, { name, server: other, traffic: each }, count));
  }
  const many = [...acknowledged.keys()].slice(-FEW);
  contestants.push({
    name: `${acknowledged.size} conversations`,
    server,
    traffic: { kind: "continue", conversationIds: many },
  });
  await warmUp(bench, contestants, 1);
  const series = await interleave(bench, contestants, { callers: 1, operations: TURNS_A_ROUND });
  return [
    {
      id: "soak",
      title: `${turns} turns`,
      text: `Each began a conversation of its own. The heap is what lives on it once garbage was collected.`,
      comparisons: [],
      figures: memoryFigures(points),
    },
    {
      id: "conversations",
      title: "More conversations",
      text: `The next turn of one of ${FEW} conversations in stores of different sizes, with the same history sent (HISTORY_TOKENS=${HISTORY_TOKENS}).`,
      comparisons: [{ title: "One caller", callers: 1, unit: "turns", series, base: `${FEW} conversations` }],
      figures: [],
    },
  ];
}

/** Makes so many conversations, the first few of which the contestant then goes on with. */
async function withConversations(bench: Bench, contestant: Contestant, count: number): Promise<Contestant> {
  const acknowledged = new Map<string, number>();
  await measure(bench, { ...contestant, acknowledged }, { callers: FEW, operations: count / FEW });
  const conversationIds = [...acknowledged.keys()].slice(-FEW);
  return { ...contestant, traffic: { kind: "continue", conversationIds } };
}

function memoryFigures(points: readonly { turns: number; heapMb: number; rssMb: number }[]): Figure[] {
  const last = points.at(-1);
  if (!last) return [];
  // The first half still compiles code and fills caches that have a bound.
  const later = points.slice(points.length >> 1);
  const growth = slope(later.map(({ turns, heapMb }) => [turns / 100_000, heapMb]));
  const heaps = points.map(({ heapMb }) => heapMb);
  return [
    { name: "Memory at the end", unit: "MB", spread: single(last.rssMb) },
    {
      name: "Live heap at the end (range: all looks)",
      unit: "MB",
      spread: { min: Math.min(...heaps), median: last.heapMb, max: Math.max(...heaps) },
    },
    {
      name: "Growth of the live heap in 100,000 turns, by the second half",
      unit: "MB",
      spread: single(growth),
    },
  ];
}

function single(value: number): Spread {
  return { min: value, median: value, max: value };
}
