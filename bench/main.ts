// Measures Parley beside a bare loop and its peers. See options.ts for what it can be asked.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Bench } from "./harness/bench.ts";
import { describeCommit, describeMachine } from "./harness/machine.ts";
import { withBench } from "./harness/session.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { chart } from "./report/chart.ts";
import { OWN, page } from "./report/page.ts";
import { pairsText } from "./report/pairs.ts";
import { profileText } from "./report/profile.ts";
import { withPerformance } from "./report/readme.ts";
import type { Results, Section } from "./report/results.ts";
import { figureTable, sectionText } from "./report/tables.ts";
import { measureColdRun } from "./scenarios/cold-run.ts";
import { measureLength } from "./scenarios/growth.ts";
import { compareModelCalls } from "./scenarios/model-calls.ts";
import { measureObservability } from "./scenarios/observability.ts";
import { comparePairs, parseVariant } from "./scenarios/pairs.ts";
import { profileTurns } from "./scenarios/profile.ts";
import { measureChunks, measureSlowProvider } from "./scenarios/providers.ts";
import { measureReading, measureRpc } from "./scenarios/requests.ts";
import { measureSoak } from "./scenarios/soak.ts";
import { measureStartUp } from "./scenarios/start-up.ts";
import { measureTurns } from "./scenarios/turns.ts";

/** Of the servers of a comparison in pairs. */
const STARTS = 4;
const RESULTS = resolve(import.meta.dirname, "results");

/** What is measured after the main comparison, by mode. */
const SCENARIOS: Partial<
  Record<Options["mode"], [title: string, measure: (bench: Bench) => Promise<Section>][]>
> = {
  full: [
    ["Requests", measureRpc],
    ["Reading", measureReading],
    ["Slow provider", measureSlowProvider],
    ["Chunks", measureChunks],
    ["Longer conversations", (bench) => measureLength(bench, [10, 100, 1_000, 10_000])],
    ["Observing", measureObservability],
    ["Start", measureStartUp],
  ],
  quick: [["Requests", measureRpc]],
  smoke: [
    ["Requests", measureRpc],
    ["Reading", measureReading],
    ["Longer conversations", (bench) => measureLength(bench, [2, 4])],
    ["Start", measureStartUp],
  ],
};

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  switch (options.mode) {
    case "help":
      console.log(USAGE);
      return;
    case "ab":
      return comparePairsAndPrint(options);
    case "profile":
      return profileAndPrint(options);
    case "calls":
      return compareCallsAndPrint(options);
    case "soak":
      return soakAndPrint(options);
    case "cold":
      return runColdAndPrint(options);
    case "readme":
      return writeReadme();
    default:
      return measureAll(options, args);
  }
}

async function measureAll(options: Options, args: readonly string[]): Promise<void> {
  const begun = performance.now();
  const { mode } = options;
  const scenarios = SCENARIOS[mode] ?? [];
  const results = await withBench(options, async (bench): Promise<Results> => {
    const machine = describeMachine(bench.folder);
    const commit = describeCommit();
    bench.progress.section("Turns", 1, scenarios.length + 1);
    const { section, absent, durability } = await measureTurns(bench, { withPeers: mode !== "smoke" });
    const sections = [section];
    for (const [index, [title, measure]] of scenarios.entries()) {
      bench.progress.section(title, index + 2, scenarios.length + 1);
      sections.push(await measure(bench));
    }
    return {
      command: ["node bench/main.ts", ...args].join(" "),
      date: new Date().toISOString(),
      commit,
      minutes: (performance.now() - begun) / 60_000,
      machine,
      sections,
      absent,
      durability,
    };
  });
  const file = (extension: string) => join(RESULTS, `${mode}.${extension}`);
  const text = page(results, `${mode}.svg`);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(file("json"), `${JSON.stringify(results, undefined, 1)}\n`);
  writeFileSync(file("md"), text);
  const comparisons = results.sections[0]?.comparisons ?? [];
  const charted = comparisons.find(({ callers }) => callers === 32) ?? comparisons.at(-1);
  if (charted) writeFileSync(file("svg"), chart(charted, OWN));
  console.log(text);
  console.log(
    `In bench/results: ${["json", "md", "svg"].map((extension) => `${mode}.${extension}`).join(", ")}`,
  );
}

async function comparePairsAndPrint(options: Options): Promise<void> {
  const variants = await Promise.all(options.variants.map(parseVariant));
  const { production, effort } = options;
  const { callers, rounds, roundMs } = effort;
  const comparisons = await withBench(options, async (bench) => {
    const all = [];
    for (const [index, count] of callers.entries()) {
      bench.progress.section("Pairs", index + 1, callers.length);
      all.push(
        await comparePairs(bench, variants, { callers: count, rounds, roundMs, starts: STARTS, production }),
      );
    }
    return all;
  });
  console.log(comparisons.map((comparison) => pairsText(comparison, STARTS)).join("\n\n"));
}

async function profileAndPrint(options: Options): Promise<void> {
  mkdirSync(RESULTS, { recursive: true });
  const file = await withBench(options, (bench) => {
    bench.progress.section("Profile", 1, 1);
    return profileTurns(bench, RESULTS, options.production);
  });
  console.log(`${profileText(file)}\n\nFor Chrome's DevTools and others: ${file}`);
}

async function compareCallsAndPrint(options: Options): Promise<void> {
  const { callers } = options.effort;
  const rounds = callers.flatMap((count) => [1, 100].map((chunks) => [chunks, count] as const));
  const comparisons = await withBench(options, async (bench) => {
    const all = [];
    for (const [index, [chunks, count]] of rounds.entries()) {
      bench.progress.section("Calls", index + 1, rounds.length);
      all.push(await compareModelCalls(bench, chunks, count));
    }
    return all;
  });
  console.log(comparisons.map((one) => `${one.title}\n\n${pairsText(one, 1)}`).join("\n\n"));
}

async function soakAndPrint(options: Options): Promise<void> {
  const sections = await withBench(options, (bench) => {
    bench.progress.section("Soak", 1, 1);
    return measureSoak(bench, options.turns);
  });
  const text = sections.map((section) => sectionText(section, [])).join("\n\n");
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, "soak.md"), `${text}\n`);
  console.log(text);
}

async function runColdAndPrint(options: Options): Promise<void> {
  const figure = await withBench(options, (bench) => {
    bench.progress.section("Cold run", 1, 1);
    return measureColdRun(bench);
  });
  console.log(figureTable([figure]));
}

function writeReadme(): void {
  const file = resolve(import.meta.dirname, "../README.md");
  const results: Results = JSON.parse(readFileSync(join(RESULTS, "full.json"), "utf8"));
  writeFileSync(file, withPerformance(readFileSync(file, "utf8"), results));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
