import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { EndedTurn } from "../../src/core/chat/turn.ts";
import { SqliteBackupTarget } from "../../src/stores/sqlite/backup.ts";
import { ids, STEP, T0 } from "../support/backup-stores.ts";
import { describeMongo } from "../support/mongo.ts";
import { NODE } from "../support/server.ts";
import { openSqlite } from "../support/sqlite.ts";

/** `BACKUP_CONVERSATIONS=1000 npm test -- tests/performance/backup.test.ts` */
const CONVERSATIONS = Number(process.env.BACKUP_CONVERSATIONS ?? 200);
const TURNS = Number(process.env.BACKUP_TURNS ?? 20);
const MAX_MEMORY_MB = 200;
const COUNTS = `${CONVERSATIONS} conversations, ${CONVERSATIONS * TURNS} turns, 0 sessions and 0 model calls`;

/**
 * Tells the most memory that the process ever had resident, in kilobytes, as its last act. Where there is
 * no /proc, that counts what its parent had when it was forked.
 */
const TELL_MEMORY = `data:text/javascript,${encodeURIComponent(`
  import { existsSync, readFileSync } from "node:fs";
  const own = () => Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
  const most = () => (existsSync("/proc/self/status") ? own() : process.resourceUsage().maxRSS);
  process.on("exit", () => process.send(most()));
`)}`;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-backup-size-"));
  const database = await openSqlite(join(folder, "parley.db"));
  const target = new SqliteBackupTarget(database);
  for (let count = 0; count < CONVERSATIONS; count++) await target.insert(conversationOf(ids.next()));
  database.close();
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

/** Runs the built program; fails when it fails or took too much memory. */
async function run(program: string, args: string[], env: Record<string, string>): Promise<void> {
  const child = fork(resolve("dist", program), args, {
    execPath: NODE,
    execArgv: ["--import", TELL_MEMORY],
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    silent: true,
  });
  let output = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    output += chunk;
  });
  let memoryKb = Number.NaN;
  child.on("message", (kilobytes) => {
    memoryKb = Number(kilobytes);
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${output}`);
  expect(output).toContain(COUNTS);
  process.stderr.write(`${program} of ${COUNTS}: ${Math.round(memoryKb / 1024)} MB at most\n`);
  expect(memoryKb / 1024).toBeLessThan(MAX_MEMORY_MB);
}

test("SQLite: backup and restore in bounded memory", async () => {
  await run("backup.js", ["sqlite.gz"], { DATA_DIR: folder });
  await run("restore.js", ["sqlite.gz"], { DATA_DIR: join(folder, "restored") });
}, 300_000);

await describeMongo("MongoDB", (mongo) => {
  test("backup and restore in bounded memory", async () => {
    const env = { MONGO_URI: mongo.uri.replace(/\/?$/, "/backup-size") };
    await run("backup.js", ["for-mongo.gz"], { DATA_DIR: folder });
    await run("restore.js", ["--force", "for-mongo.gz"], env);
    await run("backup.js", ["mongo.gz"], env);
  }, 300_000);
});

function conversationOf(conversationId: string) {
  const owner = "ann";
  const messageCount = 2 * TURNS;
  const turns = Array.from({ length: TURNS }, (_, index) => {
    const turn: EndedTurn = {
      id: ids.next(),
      conversationId,
      seq: index + 1,
      owner,
      messageOffset: 2 * index,
      requestHash: "hash",
      userLocale: { timezone: "UTC", locale: "en" },
      user: { messageId: ids.next(), content: `Question ${index} of ${conversationId}`, createdAt: T0 },
      steps: [STEP, STEP],
      attempts: 1,
      createdAt: T0,
      updatedAt: T0,
      state: "completed",
      // As compressible as talk: not at all alike, not random.
      reply: {
        messageId: ids.next(),
        content: Array.from({ length: 100 }, ids.next).join(" "),
        createdAt: T0,
      },
    };
    return { turn, isLast: turn.seq === TURNS };
  });
  const times = { createdAt: T0, updatedAt: T0 };
  const sums = { turnCount: TURNS, messageCount };
  const conversation = {
    id: conversationId,
    owner,
    title: "T",
    titleState: "final" as const,
    ...sums,
    ...times,
  };
  return { conversations: [conversation], turns, sessions: [], usage: [] };
}
