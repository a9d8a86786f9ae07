import { parseArgs } from "node:util";
import type { Effort } from "./harness/bench.ts";

export const USAGE = `node_modules/.bin/node bench/main.ts [what] [how]

What
  (nothing)          everything, in less than ten minutes; results/full.*
  --quick            the main comparison alone, in about a minute; results/quick.*
  --smoke            a moment of it without the peers: shows that the harness works, measures nothing
  --ab VARIANT       this build beside another, in interleaved rounds of a turn; may be repeated. VARIANT is the
                     dist folder of another build, NAME=VALUE, several of them with spaces between, or
                     "unobserved": without metrics, logs and ledger
  --profile          a CPU profile of the server at 32 callers
  --calls            what a call of a model costs, by Parley's provider, the SDK and bare undici
  --soak             many turns: memory as they go by, and what a turn costs beside so many conversations
  --cold             a clone, and "make run" in it until it is ready
  --readme           README's performance section, written anew from results/full.json

How
  --rounds N         of each comparison
  --seconds S        of each round
  --callers N,N      at the same time
  --turns N          of a soak (100,000)
  --production       MongoDB and Redis instead of the embedded store, in --ab and --profile
  --data FOLDER      where servers keep their data; /dev/shm leaves the disk out of it
  --dist FOLDER      the build that is measured (./dist)
`;

export type Mode =
  | "full"
  | "quick"
  | "smoke"
  | "ab"
  | "profile"
  | "calls"
  | "soak"
  | "cold"
  | "readme"
  | "help";

export interface Options {
  readonly mode: Mode;
  readonly effort: Effort;
  /** What the build is compared with in mode `ab`. */
  readonly variants: readonly string[];
  readonly production: boolean;
  /** Of a soak. */
  readonly turns: number;
  readonly data?: string;
  readonly dist: string;
}

const WARM = { warmUpOperations: 15_000, warmUpMs: 10_000 };
const NOTHING: Effort = { rounds: 0, roundMs: 0, warmUpOperations: 0, warmUpMs: 0, callers: [] };

const EFFORTS: Record<Mode, Effort> = {
  full: { ...WARM, rounds: 5, roundMs: 1_000, callers: [1, 32, 256] },
  quick: { rounds: 3, roundMs: 400, warmUpOperations: 2_000, warmUpMs: 1_500, callers: [1, 32] },
  smoke: { rounds: 1, roundMs: 100, warmUpOperations: 1_000, warmUpMs: 50, callers: [1, 8] },
  ab: { ...WARM, rounds: 20, roundMs: 600, callers: [32] },
  profile: { ...WARM, rounds: 1, roundMs: 10_000, callers: [32] },
  calls: { ...WARM, rounds: 20, roundMs: 500, callers: [32] },
  soak: { ...WARM, rounds: 10, roundMs: 1_000, callers: [32] },
  cold: NOTHING,
  readme: NOTHING,
  help: NOTHING,
};

/** @throws Error that says what is wrong. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean" },
      smoke: { type: "boolean" },
      ab: { type: "string", multiple: true },
      profile: { type: "boolean" },
      calls: { type: "boolean" },
      soak: { type: "boolean" },
      cold: { type: "boolean" },
      readme: { type: "boolean" },
      help: { type: "boolean", short: "h" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      callers: { type: "string" },
      production: { type: "boolean", default: false },
      turns: { type: "string", default: "100000" },
      data: { type: "string" },
      dist: { type: "string", default: "dist" },
    },
  });
  const modes = (
    ["quick", "smoke", "ab", "profile", "calls", "soak", "cold", "readme", "help"] as const
  ).filter((mode) => values[mode]);
  if (modes.length > 1) throw new Error(`Choose one of --${modes.join(", --")}`);
  const mode = modes[0] ?? "full";
  const usual = EFFORTS[mode];
  return {
    mode,
    variants: values.ab ?? [],
    production: values.production,
    turns: positive("turns", values.turns),
    data: values.data,
    dist: values.dist,
    effort: {
      ...usual,
      rounds: values.rounds === undefined ? usual.rounds : positive("rounds", values.rounds),
      roundMs: values.seconds === undefined ? usual.roundMs : positive("seconds", values.seconds) * 1000,
      callers: values.callers?.split(",").map((text) => positive("callers", text)) ?? usual.callers,
    },
  };
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new Error(`--${name} should be a number above 0, not "${text}"`);
  return number;
}
