import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { openSource } from "../../src/backup/open-store.ts";
import { readConfig } from "../../src/config.ts";
import type { UsageRow } from "../../src/core/ledger/model-call.ts";
import { Aimock, type ChatRequest, type Reply } from "../support/aimock.ts";
import { replyTo } from "../support/echo-model.ts";
import { describeMongo } from "../support/mongo.ts";
import { seededRandom } from "../support/random.ts";
import { built, NODE, type RunningServer, startServer } from "../support/server.ts";
import { talkThrough } from "../support/talks.ts";
import { callJson } from "../support/twirp.ts";

const run = promisify(execFile);

/** `make kill-test KILLS=80`: makes more than 1,000 turns. */
const KILLS = Math.ceil(Number(process.env.KILLS ?? 40) / 4);
const SEED = Number(process.env.SEED ?? 1);
/** Of the model's answers. */
const FAULTS = 0.1;
const CALLERS = 8;
const OUTPUT_TOKENS = 7;
/** Of gpt-5-mini: $0.25 for a million input tokens, $2 for a million output tokens. */
const PICO_USD = { input: 250_000n, output: 2_000_000n };

type Operation = UsageRow["operation"];

/** What the model was asked, as its own journal has it. */
interface Journaled {
  readonly question: string;
  readonly operation: Operation;
  /** The number by which its answer can be told in the ledger. */
  readonly inputTokens: number;
  readonly isFault: boolean;
}

describe("the ledger, row for row with the model's journal", () => {
  test(
    `SQLite: ${KILLS} kills, ${FAULTS * 100} % faults (seed ${SEED})`,
    async () => {
      const dataDir = await mkdtemp(join(tmpdir(), "parley-ledger-"));
      try {
        await compareAfterKills({ DATA_DIR: dataDir });
      } finally {
        await rm(dataDir, { recursive: true });
      }
    },
    KILLS * 20_000 + 60_000,
  );
});

await describeMongo("the ledger, row for row with the model's journal", (mongo) => {
  test(
    `MongoDB: ${KILLS} kills, ${FAULTS * 100} % faults (seed ${SEED})`,
    async () => {
      const MONGO_URI = mongo.uri.replace(/\/?$/, "/kill-ledger");
      await run(NODE, [built("migrate.js"), "up"], { env: { MONGO_URI } });
      await compareAfterKills({ MONGO_URI });
    },
    KILLS * 20_000 + 60_000,
  );
});

async function compareAfterKills(storage: { DATA_DIR: string } | { MONGO_URI: string }): Promise<void> {
  const random = seededRandom(SEED);
  const model = await Aimock.start();
  const faults = new Set<number>();
  model.always(
    () => true,
    (request, position) => {
      const fault = random() < FAULTS ? anyFault(random) : undefined;
      if (fault) faults.add(position);
      return fault ?? answerTo(request, position);
    },
  );
  const env = {
    ...storage,
    OPENAI_BASE_URL: model.baseUrl,
    TURN_LEASE_SECONDS: "1",
    // Faults are to reach the ledger rather than an open breaker.
    CIRCUIT_BREAKER_MAX_FAILURES: "1000",
  };
  const start = () => startServer({ env, dataDir: "DATA_DIR" in storage ? storage.DATA_DIR : undefined });
  let server: RunningServer = await start();
  try {
    const { messages, atWork } = await talkThrough({
      url: () => server.url,
      random,
      strikes: KILLS,
      async strike() {
        await server.kill("SIGKILL");
        server = await start();
      },
    });
    const journal = model.requests.map(({ body }, position) => journaled(body, position, faults));
    const rows = await ledger(storage);
    const surplus = compare(journal, rows.usage, rows.questions);
    const count = (status: UsageRow["status"]) => rows.usage.filter((row) => row.status === status).length;
    console.info(
      `${KILLS} kills (${atWork} with turns at work), ${messages} messages; ${journal.length} requests, ` +
        `${faults.size} of them faults; ${rows.usage.length} rows: ${count("ok")} ok, ${count("failed")} failed, ` +
        `${count("aborted")} aborted, ${count("interrupted")} interrupted, ${surplus} of those never sent`,
    );
    await compareSums(server.url, rows.usage);
  } finally {
    await server.kill("SIGTERM");
    await model.close();
  }
}

function answerTo({ messages }: ChatRequest, position: number): Reply {
  const usage = { prompt_tokens: tokensAt(position), completion_tokens: OUTPUT_TOKENS };
  if (isTitle(messages)) return { text: "Talk", usage };
  if (messages.at(-1)?.role === "tool") return { text: replyTo(questionOf(messages)), usage };
  return { toolCalls: [{ name: "get_datetime", arguments: {} }], usage };
}

function anyFault(random: () => number): Reply {
  const faults: Reply[] = [
    { status: 500 },
    { status: 429, retryAfterSeconds: 0 },
    { text: "This breaks off.", disconnectAfterChunks: 1 },
    { raw: [], ending: "disconnect" },
  ];
  return faults[Math.floor(random() * faults.length)] ?? { status: 500 };
}

function journaled({ messages }: ChatRequest, position: number, faults: ReadonlySet<number>): Journaled {
  return {
    question: questionOf(messages),
    operation: isTitle(messages) ? "title" : "reply",
    inputTokens: tokensAt(position),
    isFault: faults.has(position),
  };
}

function tokensAt(position: number): number {
  return 1_000 + position;
}

function isTitle(messages: ChatRequest["messages"]): boolean {
  return messages[0]?.content?.startsWith("Name the subject") ?? false;
}

function questionOf(messages: ChatRequest["messages"]): string {
  return messages.findLast(({ role }) => role === "user")?.content ?? "";
}

/** All rows, and what was asked in the turns they are of. */
async function ledger(storage: Record<string, string>) {
  const usage: UsageRow[] = [];
  const questions = new Map<string, string>();
  const store = await openSource(readConfig(storage));
  try {
    for await (const record of store.source.records()) {
      if (record.type === "turn") questions.set(record.turn.id, record.turn.user.content);
      if (record.type === "usage") usage.push(record.row);
    }
  } finally {
    await store.close();
  }
  return { usage, questions };
}

/** @returns how many rows there are of calls that were never sent: some that kills came before. */
function compare(
  journal: readonly Journaled[],
  usage: readonly UsageRow[],
  questions: ReadonlyMap<string, string>,
): number {
  expect(new Set(usage.map(({ id }) => id)).size).toBe(usage.length);
  const nameOf = (question: string, operation: Operation) => `${operation} of ${question}`;
  const rowsOf = Map.groupBy(usage, ({ turnId, operation }) =>
    nameOf(questions.get(turnId) ?? turnId, operation),
  );
  const requestsOf = Map.groupBy(journal, ({ question, operation }) => nameOf(question, operation));
  let surplus = 0;
  for (const name of new Set([...rowsOf.keys(), ...requestsOf.keys()])) {
    const rows = rowsOf.get(name) ?? [];
    const requests = requestsOf.get(name) ?? [];
    const answered = new Map(
      requests.filter(({ isFault }) => !isFault).map((request) => [request.inputTokens, request]),
    );
    for (const row of rows.filter(({ status }) => status === "ok")) {
      const { inputTokens = 0, outputTokens } = row.usage ?? {};
      // Each has a request of its own, and the cost of its tokens.
      expect([name, answered.delete(inputTokens), outputTokens]).toEqual([name, true, OUTPUT_TOKENS]);
      expect(row.cost).toBe(BigInt(inputTokens) * PICO_USD.input + BigInt(OUTPUT_TOKENS) * PICO_USD.output);
    }
    const others = rows.filter(({ status }) => status !== "ok");
    expect(others.every((row) => row.cost === undefined)).toBe(true);
    const faulty = requests.filter(({ isFault }) => isFault).length;
    expect(others.filter(({ status }) => status === "failed").length).toBeLessThanOrEqual(faulty);
    const unsent = others.length - faulty - answered.size;
    expect([name, unsent < 0]).toEqual([name, false]);
    const interrupted = others.filter(({ status }) => status === "interrupted").length;
    expect(unsent).toBeLessThanOrEqual(interrupted);
    surplus += unsent;
  }
  // A kill interrupts at most a reply and a title in each talk, some of them between note and sending.
  const interrupted = usage.filter(({ status }) => status === "interrupted").length;
  expect(interrupted).toBeLessThanOrEqual(KILLS * CALLERS * 2);
  return surplus;
}

/** What GetUsage says by operation is what the rows sum up to. */
async function compareSums(url: string, usage: readonly UsageRow[]): Promise<void> {
  const sums = async () => {
    const { body } = await callJson<{ rows: Record<string, string>[]; total: Record<string, string> }>(
      url,
      "acai.stats.StatsService/GetUsage",
      { group_by: ["OPERATION"] },
    );
    return body;
  };
  const { rows, total } = await sums();
  const expected = (some: readonly UsageRow[]) => {
    const count = (status: UsageRow["status"]) => String(some.filter((row) => row.status === status).length);
    const pico = some.reduce((sum, { cost = 0n }) => sum + cost, 0n);
    const tokens = (name: "inputTokens" | "outputTokens") =>
      String(some.reduce((sum, row) => sum + (row.usage?.[name] ?? 0), 0));
    return {
      calls: String(some.length),
      failed: count("failed"),
      aborted: count("aborted"),
      interrupted: count("interrupted"),
      input_tokens: tokens("inputTokens"),
      output_tokens: tokens("outputTokens"),
      unknown_tokens: String(some.filter((row) => !row.usage).length),
      unknown_cost: String(some.filter(({ cost }) => cost === undefined).length),
      cost_usd: `${pico / 10n ** 12n}.${String(pico % 10n ** 12n).padStart(12, "0")}`.replace(/\.?0+$/, ""),
    };
  };
  expect(total).toMatchObject(expected(usage));
  for (const operation of ["reply", "title"] as const) {
    const group = rows.find((row) => row.operation === operation);
    expect(group).toMatchObject(expected(usage.filter((row) => row.operation === operation)));
  }
}
