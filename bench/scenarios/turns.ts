import { parley } from "../contestants/parley.ts";
import { missing, peers } from "../contestants/peers.ts";
import { driverLoop, floor } from "../contestants/plain.ts";
import { startStores } from "../contestants/stores.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { compareTurns, storedInMongo, storedInSqlite, type Turns } from "../harness/durability.ts";
import { type Contestant, interleave, warmUp } from "../harness/measure.ts";
import type { Traffic } from "../load/traffic.ts";
import { DRIVER_LOOP, EMBEDDED, FLOOR, PRODUCTION } from "../report/names.ts";
import type { Comparison, Figure, Results, Section } from "../report/results.ts";
import { spread } from "../report/statistics.ts";

/** Long enough that the one title call is a tenth of a turn, short enough that little history is sent. */
const TURNS_A_CONVERSATION = 10;
export const CONVERSATIONS: Traffic = { kind: "conversations", turns: TURNS_A_CONVERSATION, staggered: true };

export interface TurnsOutcome {
  readonly section: Section;
  readonly absent: Results["absent"];
  readonly durability: Results["durability"];
}

/** The comparison itself: a turn of everyone who can take part, in interleaved rounds. */
export async function measureTurns(
  bench: Bench,
  { withPeers }: { withPeers: boolean },
): Promise<TurnsOutcome> {
  await using servers = new Servers(bench);
  const contestants: Contestant[] = [];
  const absent: { name: string; reason: string }[] = [];
  const proofs: { name: string; acknowledged: Turns; stored: () => Turns | Promise<Turns> }[] = [];
  const unless = async (name: string, start: () => Promise<void>) => {
    try {
      await start();
    } catch (error) {
      bench.signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      absent.push({ name, reason });
      bench.progress.note(`Without ${name}: ${reason}`);
    }
  };
  /** A Parley that has to prove afterwards that it kept what it acknowledged. */
  const addParley = async (spec: ReturnType<typeof parley>, stored: () => Turns | Promise<Turns>) => {
    const acknowledged = new Map<string, number>();
    const server = await servers.start(spec);
    contestants.push({ name: spec.name, server, traffic: CONVERSATIONS, acknowledged });
    proofs.push({ name: spec.name, acknowledged, stored });
  };

  contestants.push({ name: FLOOR, server: await servers.start(floor(bench)), traffic: { kind: "turns" } });
  const embedded = parley(bench, { name: EMBEDDED });
  await addParley(embedded, () => storedInSqlite(embedded.database));
  if (withPeers) {
    await unless("MongoDB and Redis", async () => {
      const { mongoUri, env } = await (await startStores(bench, servers)).newDatabase(bench.dist);
      await addParley(parley(bench, { name: PRODUCTION, env }), () => storedInMongo(mongoUri));
      const server = await servers.start(driverLoop(bench, mongoUri));
      contestants.push({ name: DRIVER_LOOP, server, traffic: { kind: "turns" } });
    });
    for (const peer of peers(bench)) {
      await unless(peer.spec.name, async () => {
        const problem = missing(peer);
        if (problem) throw new Error(problem);
        contestants.push({
          name: peer.spec.name,
          server: await servers.start(peer.spec),
          traffic: peer.traffic,
        });
      });
    }
  }

  await warmUp(bench, contestants);
  const comparisons: Comparison[] = [];
  for (const callers of bench.effort.callers) {
    const series = await interleave(bench, contestants, { callers, ms: bench.effort.roundMs });
    const title = callers === 1 ? "One caller" : `${callers} callers`;
    comparisons.push({ title, callers, unit: "turns", series, base: FLOOR });
  }

  bench.progress.tell("looking for the acknowledged turns");
  const durability = [];
  for (const { name, acknowledged, stored } of proofs) {
    durability.push({ name, ...compareTurns(acknowledged, await stored()) });
  }
  const section: Section = {
    id: "turns",
    title: "A turn with a tool",
    text: `Two model calls and one tool call. The floor is a bare node:http and undici loop without storage; the peers are servers of 20 lines that keep nothing, but for Mastra, which keeps the messages in libSQL. Parley writes each step durably (SQLite, synced before anything is answered; MongoDB with majority and journal) and logs each request; its conversations have ${TURNS_A_CONVERSATION} turns, whose history it sends, and a title that it asks the model for; it reads the model's answers as a stream, which the others here do not; rate limits are off. Portkey's gateway passes on the turn's two model calls. The driver loop only writes what a turn writes, four times, to the same MongoDB.`,
    comparisons,
    figures: driverOverhead(comparisons),
  };
  return { section, absent, durability };
}

/** What a turn costs Parley beyond what MongoDB's driver costs. */
function driverOverhead(comparisons: readonly Comparison[]): Figure[] {
  return comparisons.flatMap(({ callers, series }) => {
    const cpu = (name: string) =>
      series.find(({ contestant }) => contestant === name)?.samples.map((s) => s.cpuUs);
    const own = cpu(PRODUCTION);
    const loop = cpu(DRIVER_LOOP);
    const beyond =
      own && loop && spread(own.map((value, round) => value && value - (loop[round] ?? Number.NaN)));
    if (!beyond) return [];
    return [
      {
        name: `CPU of a turn with MongoDB and Redis beyond the driver loop's, ${callers} callers`,
        unit: "µs",
        spread: beyond,
      },
    ];
  });
}
