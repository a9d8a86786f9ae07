import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { collector } from "../contestants/plain.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { TRACED } from "../report/names.ts";
import type { Section } from "../report/results.ts";
import { comparePairs, unobservedVariant, type Variant } from "./pairs.ts";

const CALLERS = 32;
const STARTS = 2;
const TRACING = "OTEL_EXPORTER_OTLP_ENDPOINT";

/** What observing costs: metrics, logs and the ledger together, and traces beside them. */
export async function measureObservability(bench: Bench): Promise<Section> {
  await using servers = new Servers(bench);
  const variants: Variant[] = [await unobservedVariant()];
  if (knows(TRACING)) {
    const { url } = await servers.start(collector(bench));
    variants.push({ name: TRACED, env: { [TRACING]: url } });
  }
  const { roundMs } = bench.effort;
  const rounds = 2 * bench.effort.rounds;
  const comparison = await comparePairs(bench, variants, {
    callers: CALLERS,
    rounds,
    roundMs,
    starts: STARTS,
    production: false,
  });
  return {
    id: "observability",
    title: "Observing",
    text: "The server as it is by default; one that was built without metrics and ledger, and logs nothing; and one that traces every turn.",
    comparisons: [comparison],
    figures: [],
  };
}

/** Whether this Parley has such a setting. */
function knows(variable: string): boolean {
  return readFileSync(resolve(import.meta.dirname, "../../.env.example"), "utf8").includes(variable);
}
