import {
  AI_SDK,
  AS_IT_IS,
  DRIVER_LOOP,
  ECHO,
  EMBEDDED,
  FLOOR,
  MASTRA,
  PARLEY,
  PRODUCTION,
  TRACED,
  UNOBSERVED,
} from "./names.ts";
import type { Comparison, Results, Series } from "./results.ts";
import { spread } from "./statistics.ts";
import { number, ratioOf } from "./tables.ts";

/** Something that Parley aims at, and where it stands. */
export interface Goal {
  readonly name: string;
  readonly target: string;
  readonly measured: string;
  readonly met: boolean;
}

/** The goals that these results have figures for. */
export function goals(results: Results): Goal[] {
  const comparison = (section: string, matches: (comparison: Comparison) => boolean = () => true) =>
    results.sections.find(({ id }) => id === section)?.comparisons.find(matches);
  const turns = (callers: number) => comparison("turns", (one) => one.callers === callers);
  const found: (Goal | undefined)[] = [
    atLeast("Embedded, of the floor's turns, 32 callers", 0.4, share(turns(32), EMBEDDED, FLOOR)),
    atLeast("Embedded, of the AI SDK's turns, 32 callers", 3, share(turns(32), EMBEDDED, AI_SDK)),
    atLeast(
      "MongoDB + Redis, of the driver loop's turns, 32 callers",
      0.7,
      share(turns(32), PRODUCTION, DRIVER_LOOP),
    ),
    atLeast("MongoDB + Redis, of Mastra's turns, 32 callers", 5, share(turns(32), PRODUCTION, MASTRA)),
    ...(results.sections.find(({ id }) => id === "rpc")?.comparisons ?? []).map((one) =>
      atLeast(`${one.title}, of a bare server's requests`, 0.6, share(one, PARLEY, ECHO)),
    ),
    atMost("One caller, p50 above the floor's, ms", 0.4, difference(turns(1), EMBEDDED, FLOOR)),
    atMost("One caller, p99, ms", 5, middle(turns(1), EMBEDDED, "p99")),
    atMost("256 callers, errors", 0, errors(turns(256), EMBEDDED)),
    atMost("256 callers, p99 over p50", 2.5, tail(turns(256), EMBEDDED)),
    atMost(
      "Provider of 50 ms, p99 over the floor's",
      1.1,
      share(comparison("slow-provider"), PARLEY, FLOOR, "p99"),
    ),
    atMost(
      "Metrics, logs and ledger, CPU over a turn's without them",
      1.05,
      share(comparison("observability"), AS_IT_IS, UNOBSERVED, "cpuUs"),
    ),
    atMost(
      "Traces, CPU over a turn's without them",
      1.15,
      share(comparison("observability"), TRACED, AS_IT_IS, "cpuUs"),
    ),
    atMost("Turns acknowledged and missing", 0, missing(results)),
    atMost("Memory at rest, MB", 120, figure(results, "start-up", "Parley's memory at rest")),
  ];
  const length = comparison("length");
  for (const { contestant } of length?.series.slice(1) ?? []) {
    found.push(
      atMost(
        `${contestant}, CPU over ${length?.base}`,
        1.3,
        share(length, contestant, length?.base ?? "", "cpuUs"),
      ),
    );
  }
  return found.filter((goal) => goal !== undefined);
}

function atLeast(name: string, target: number, measured: number | undefined): Goal | undefined {
  if (measured === undefined) return undefined;
  return { name, target: `≥ ${target}`, measured: number(measured), met: measured >= target };
}

function atMost(name: string, target: number, measured: number | undefined): Goal | undefined {
  if (measured === undefined) return undefined;
  return { name, target: `≤ ${target}`, measured: number(measured), met: measured <= target };
}

function series(comparison: Comparison | undefined, contestant: string): Series | undefined {
  return comparison?.series.find((one) => one.contestant === contestant);
}

function share(
  comparison: Comparison | undefined,
  over: string,
  under: string,
  figure: "perSecond" | "p99" | "cpuUs" = "perSecond",
): number | undefined {
  const [a, b] = [series(comparison, over), series(comparison, under)];
  return a && b && ratioOf(a, b, figure)?.median;
}

function difference(comparison: Comparison | undefined, over: string, under: string): number | undefined {
  const [a, b] = [series(comparison, over), series(comparison, under)];
  return (
    a && b && spread(a.samples.map(({ p50 }, round) => p50 - (b.samples[round]?.p50 ?? Number.NaN)))?.median
  );
}

function middle(comparison: Comparison | undefined, contestant: string, figure: "p99"): number | undefined {
  return spread(series(comparison, contestant)?.samples.map((sample) => sample[figure]) ?? [])?.median;
}

function tail(comparison: Comparison | undefined, contestant: string): number | undefined {
  return spread(series(comparison, contestant)?.samples.map(({ p50, p99 }) => p99 / p50) ?? [])?.median;
}

function errors(comparison: Comparison | undefined, contestant: string): number | undefined {
  return series(comparison, contestant)?.samples.reduce((sum, sample) => sum + sample.errors, 0);
}

function missing({ durability }: Results): number | undefined {
  return durability.length === 0 ? undefined : durability.reduce((sum, one) => sum + one.missing, 0);
}

function figure({ sections }: Results, section: string, name: string): number | undefined {
  return sections.find(({ id }) => id === section)?.figures.find((one) => one.name === name)?.spread.median;
}
