import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parley } from "../contestants/parley.ts";
import { startStores } from "../contestants/stores.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { type Contestant, interleave, warmUp } from "../harness/measure.ts";
import { AS_IT_IS, UNOBSERVED } from "../report/names.ts";
import type { Comparison, Sample } from "../report/results.ts";
import { buildUnobserved } from "../unobserved/build.ts";
import { CONVERSATIONS } from "./turns.ts";

/** A Parley that differs from the one here: another build, other settings, or both. */
export interface Variant {
  readonly name: string;
  readonly dist?: string;
  readonly env: Readonly<Record<string, string>>;
}

/** This Parley, built without what observes it. */
export async function unobservedVariant(): Promise<Variant> {
  return { name: UNOBSERVED, dist: await buildUnobserved(), env: { LOG_LEVEL: "silent" } };
}

/**
 * Understands `unobserved`, `../other/dist`, `NAME=VALUE`, or several of the last two with spaces between.
 *
 * @throws Error that says what is wrong.
 */
export async function parseVariant(text: string): Promise<Variant> {
  if (text === "unobserved") return unobservedVariant();
  const words = text.split(/\s+/).filter(Boolean);
  const settings = words.filter((word) => /^[A-Z][A-Z0-9_]*=/.test(word));
  const folders = words.filter((word) => !settings.includes(word));
  if (words.length === 0 || folders.length > 1) {
    throw new Error(`"${text}" should be the folder of another build, NAME=VALUE, or both`);
  }
  const [dist] = folders;
  if (dist !== undefined && !existsSync(join(dist, "main.js"))) {
    throw new Error(
      `There is no build in ${resolve(dist)}: its folder must have main.js, and packages above it`,
    );
  }
  const env = settings.map(
    (word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)] as const,
  );
  return { name: words.join(" "), dist, env: Object.fromEntries(env) };
}

export interface Pairs {
  readonly callers: number;
  /** In all. */
  readonly rounds: number;
  readonly roundMs: number;
  /** How often the servers are started anew: two processes of one program can differ for as long as they live. */
  readonly starts: number;
  /** On MongoDB and Redis instead of the embedded store. */
  readonly production: boolean;
}

/** The built Parley and variants of it, in interleaved rounds of a turn with a tool. */
export async function comparePairs(
  bench: Bench,
  variants: readonly Variant[],
  { callers, rounds, roundMs, starts, production }: Pairs,
): Promise<Comparison> {
  const all: Variant[] = [{ name: AS_IT_IS, dist: bench.dist, env: {} }, ...variants];
  const samples = new Map(all.map(({ name }): [string, Sample[]] => [name, []]));
  await using storeServers = new Servers(bench);
  const stores = production ? await startStores(bench, storeServers) : undefined;
  for (let start = 1; start <= starts; start++) {
    await using servers = new Servers(bench);
    const contestants: Contestant[] = [];
    // Whoever is warmed up last begins at an advantage.
    for (const { name, dist, env } of start % 2 === 1 ? all : all.toReversed()) {
      const storeEnv = (await stores?.newDatabase(dist ?? bench.dist))?.env;
      const server = await servers.start(parley(bench, { name, dist, env: { ...storeEnv, ...env } }));
      contestants.push({ name, server, traffic: CONVERSATIONS });
    }
    await warmUp(bench, contestants, callers);
    const round = { callers, ms: roundMs };
    for (const { contestant, samples: more } of await interleave(
      bench,
      contestants,
      round,
      Math.ceil(rounds / starts),
    )) {
      samples.get(contestant)?.push(...more);
    }
  }
  const series = all.map(({ name }) => ({ contestant: name, samples: samples.get(name) ?? [] }));
  return { title: `${callers} callers`, callers, unit: "turns", series, base: AS_IT_IS };
}
