import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { collector } from "../contestants/plain.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import type { Section } from "../report/results.ts";
import { comparePairs, type Variant } from "./pairs.ts";

const CALLERS = 32;
const STARTS = 2;
const TRACING = "OTEL_EXPORTER_OTLP_ENDPOINT";

/** What logs and traces cost, setting by setting. */
export async function measureObservability(bench: Bench): Promise<Section> {
  await using servers = new Servers(bench);
  const variants: Variant[] = [{ name: "without logs", env: { LOG_LEVEL: "silent" } }];
  if (knows(TRACING)) {
    const { url } = await servers.start(collector(bench));
    variants.push({ name: "with traces", env: { [TRACING]: url } });
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
    title: "Logs and traces",
    text: "The server with its default settings, and with one of them changed.",
    comparisons: [comparison],
    figures: [],
  };
}

/** Whether this Parley has such a setting. */
function knows(variable: string): boolean {
  return readFileSync(resolve(import.meta.dirname, "../../.env.example"), "utf8").includes(variable);
}
