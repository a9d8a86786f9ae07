import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { gate } from "../support/answers.ts";
import { replyTo, startEchoModel } from "../support/echo-model.ts";
import { eventually } from "../support/eventually.ts";
import { readSamples, scrape } from "../support/metrics.ts";
import { seededRandom } from "../support/random.ts";
import { rawRequest, rpc } from "../support/raw-http.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { talkThrough } from "../support/talks.ts";
import { callJson } from "../support/twirp.ts";

interface Reply {
  conversation_id: string;
  reply: string;
}

let model: Awaited<ReturnType<typeof startEchoModel>>;
/** What each answer of the model takes. */
let pause: () => number | Promise<void>;
let asked: number;
let server: RunningServer;

beforeAll(async () => {
  model = await startEchoModel(() => {
    asked++;
    return pause();
  });
});
afterAll(() => model.close());
beforeEach(() => {
  pause = () => 0;
  asked = 0;
});
afterEach(async () => {
  await server.stop();
});

async function open(env: Record<string, string> = {}, dataDir?: string): Promise<void> {
  server = await startServer({ env: { WORKERS: "2", OPENAI_BASE_URL: model.baseUrl, ...env }, dataDir });
}

/** The processes of the workers that have ever served, by their numbers. */
function pids(): Map<number, number> {
  const found = server.log.map((line) => /Worker (\d+) serves, as process (\d+)/.exec(line));
  return new Map(found.flatMap((match) => (match ? [[Number(match[1]), Number(match[2])]] : [])));
}

function pidOf(worker: number): number {
  const pid = pids().get(worker);
  if (pid === undefined) throw new Error(`Worker ${worker} has not served`);
  return pid;
}

const lines = () => server.log.map((line): Record<string, unknown> => JSON.parse(line));
const told = (text: string) => server.log.filter((line) => line.includes(text));
const said = (text: string, times = 1) => eventually(() => told(text).length >= times);
const served = (workers: number) => eventually(() => pids().size >= workers);
const samples = async () => readSamples(await scrape(server.url));

/** A message on a connection of its own. */
async function ask(message: string) {
  const body = JSON.stringify({ message, idempotency_key: message });
  const answer = await rawRequest(server.url, { path: rpc("StartConversation"), body });
  return { status: answer.status, body: JSON.parse(answer.body) as Reply };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Callers that send one message after the other, until they are stopped: on connections that stay, and on new ones. */
function load() {
  let done = false;
  let answered = 0;
  const problems: unknown[] = [];
  const caller = async (
    name: string,
    send: (message: string) => Promise<{ status: number; body: Reply }>,
  ) => {
    for (let count = 0; !done; count++) {
      const message = `${name}-${count}`;
      try {
        const { status, body } = await send(message);
        if (status !== 200 || body.reply !== replyTo(message)) problems.push([message, status, body]);
        else answered++;
      } catch (error) {
        problems.push([message, error]);
      }
    }
  };
  const kept = (message: string) => callJson<Reply>(server.url, "StartConversation", { message });
  const callers = Promise.all(
    Array.from({ length: 8 }, (_, index) => [
      caller(`kept${index}`, kept),
      caller(`new${index}`, ask),
    ]).flat(),
  );
  return {
    async answers(more: number): Promise<void> {
      const enough = answered + more;
      await eventually(() => answered >= enough || problems.length > 0);
    },
    async stop(): Promise<{ answered: number; problems: unknown[] }> {
      done = true;
      await callers;
      return { answered, problems };
    },
  };
}

describe("two workers", () => {
  test("answer on one port; the server is told of once, each line of the log names its worker", async () => {
    await open();
    expect(told("Parley is ready at")).toEqual([expect.stringContaining(`${server.url} with 2 workers`)]);
    expect(told("Open to:")).toHaveLength(1);
    expect(told("Applied migration 1 ")).toHaveLength(1);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => ask(`M${index}`)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    await said('"msg":"Request"', 20);
    const workers = lines().filter(({ msg }) => msg === "Request");
    expect(new Set(workers.map(({ worker }) => worker))).toEqual(new Set([1, 2]));
  });

  test("tell their metrics together, whichever is asked, and what was counted outlives them", async () => {
    await open();
    await Promise.all(Array.from({ length: 20 }, (_, index) => ask(`M${index}`)));
    const turns = 'turns_total{outcome="completed"}';
    for (let round = 0; round < 4; round++) expect((await samples()).get(turns)).toBe(20);
    const before = await samples();
    expect(before.get("workers_serving")).toBe(2);
    expect(before.get("http_requests_in_flight")).toBe(1);

    process.kill(server.pid, "SIGHUP");
    await said("All workers have been replaced");
    expect((await samples()).get(turns)).toBe(20);
    await Promise.all(Array.from({ length: 20 }, (_, index) => ask(`N${index}`)));
    expect((await samples()).get(turns)).toBe(40);

    process.kill(pidOf(3), "SIGKILL");
    await served(5);
    const after = await samples();
    expect(after.get(turns)).toBe(40);
    expect(after.get("worker_deaths_total")).toBe(1);
    for (const name of ["process_start_time_seconds", 'parley_build_info{store="sqlite",version="0.1.0"}']) {
      expect(after.get(name)).toBe(before.get(name));
    }
  });

  test("close what is too many connections, however often they are passed round", async () => {
    await open({ MAX_CONNECTIONS: "1" });
    const { hostname, port } = new URL(server.url);
    const sockets = Array.from({ length: 6 }, () => connect(Number(port), hostname));
    let closed = 0;
    for (const socket of sockets) socket.on("close", () => closed++).on("error", () => undefined);
    await eventually(() => closed === 4);
    for (const socket of sockets) socket.destroy();
    await eventually(async () => (await ask("Hi").catch(() => undefined))?.status === 200);
  });
});

describe("a worker that ends by itself", () => {
  test("by kill -9 under load is replaced: no acknowledged turn is lost, and none is doubled", async () => {
    const random = seededRandom(1);
    pause = () => random() * 40;
    await open({ TURN_LEASE_SECONDS: "1" });
    let newest = 2;
    const toll = await talkThrough({
      url: () => server.url,
      random,
      strikes: 5,
      async strike() {
        process.kill(pidOf(newest), "SIGKILL");
        newest++;
        await served(newest);
      },
    });
    expect(toll.atWork).toBeGreaterThan(2);
    expect(told("ends by itself")).toHaveLength(5);
  }, 120_000);

  test.each([
    ["by a fault", "SIGUSR2"],
    ["by SIGTERM", "SIGTERM"],
  ] as const)("%s answers what is at work, and is replaced meanwhile", async (_, signal) => {
    const code = 'process.on("SIGUSR2", () => Promise.reject(new Error("a fault")))';
    await open({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` });
    const held = gate();
    pause = () => held.opened;
    const answers = Promise.all(["A", "B", "C", "D"].map(ask));
    await eventually(() => asked >= 4);
    process.kill(pidOf(1), signal);
    await served(3);
    expect(isAlive(pidOf(1))).toBe(true);
    held.open();
    expect((await answers).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await eventually(() => !isAlive(pidOf(1)));
    expect((await samples()).get("workers_serving")).toBe(2);
  });

  test("and whose successors do not start, three times in a row, ends the server", async () => {
    await open();
    await writeFile(join(server.dataDir, ".env"), "PRICES_FILE=missing.json\n");
    // A signal that does nothing: what counts is what comes then.
    const ended = server.kill("SIGCONT");
    process.kill(pidOf(1), "SIGKILL");
    expect(await ended).toEqual({ code: 2, signal: null });
    expect(told("missing.json")).toHaveLength(3);
    expect(told("like those before it: the server stops")).toHaveLength(1);
  });
});

describe("SIGHUP", () => {
  test("replaces the workers one by one, and not one request under load fails", async () => {
    pause = () => 5;
    await open();
    const callers = load();
    await callers.answers(50);
    for (const round of [1, 2]) {
      process.kill(server.pid, "SIGHUP");
      await said("All workers have been replaced", round);
      await callers.answers(50);
    }
    const { answered, problems } = await callers.stop();
    expect(problems).toEqual([]);
    expect([...pids().keys()]).toEqual([1, 2, 3, 4, 5, 6]);
    for (const worker of [1, 2, 3, 4]) expect(isAlive(pidOf(worker))).toBe(false);
    console.info(`${answered} requests while four workers were replaced, none failed`);
  }, 60_000);

  test("brings new settings; with wrong ones, the old workers go on", async () => {
    await open();
    const settings = join(server.dataDir, ".env");
    const renew = () => process.kill(server.pid, "SIGHUP");
    await writeFile(settings, "MAX_MESSAGE_CHARS=none\n");
    renew();
    await said("MAX_MESSAGE_CHARS: ");
    expect(told("go on with what was there before")).toHaveLength(1);

    await writeFile(settings, "PRICES_FILE=missing.json\n");
    renew();
    await said("those that have not been replaced serve on");
    expect(pids().size).toBe(2);
    expect(await ask("A longer message")).toMatchObject({ status: 200 });

    await writeFile(settings, "MAX_MESSAGE_CHARS=5\n");
    renew();
    await said("All workers have been replaced");
    expect(await ask("A longer message still")).toMatchObject({ status: 400 });
  });

  test("leaves a server without workers as it is, and says so", async () => {
    await open({ WORKERS: "1" });
    process.kill(server.pid, "SIGHUP");
    await said("SIGHUP restarts workers one by one, and this server has none");
    expect(await ask("Hi")).toMatchObject({ status: 200 });
  });
});

describe("the end", () => {
  test("SIGTERM: turns at work in all workers end, nothing new is taken, exit code 0", async () => {
    await open();
    const held = gate();
    pause = () => held.opened;
    const answers = Promise.all(["A", "B", "C", "D"].map(ask));
    // Each turn asks for its reply and for a title.
    await eventually(() => asked >= 8);
    const ended = server.kill("SIGTERM");
    await eventually(async () => {
      const { status, body } = await rawRequest(server.url, { method: "GET", path: "/ready" });
      return status === 503 && JSON.parse(body).status === "draining";
    });
    expect(await rawRequest(server.url)).toMatchObject({ status: 503 });
    held.open();
    expect((await answers).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await ended).toEqual({ code: 0, signal: null });
    for (const pid of pids().values()) expect(isAlive(pid)).toBe(false);
  });

  test("a signal to all processes, as from a terminal, is one signal", async () => {
    await open();
    const held = gate();
    pause = () => held.opened;
    const answer = ask("A");
    await eventually(() => asked > 0);
    for (const pid of pids().values()) process.kill(pid, "SIGINT");
    const ended = server.kill("SIGINT");
    await said("SIGINT: stopping");
    held.open();
    expect(await answer).toMatchObject({ status: 200 });
    expect(await ended).toEqual({ code: 0, signal: null });
  });

  test("a second signal ends all at once, with exit code 130", async () => {
    await open();
    const held = gate();
    pause = () => held.opened;
    const answer = ask("A").catch((error: NodeJS.ErrnoException) => error.code);
    await eventually(() => asked > 0);
    const ended = server.kill("SIGTERM");
    await said("SIGTERM: stopping");
    expect(await server.kill("SIGTERM")).toEqual({ code: 130, signal: null });
    await ended;
    expect(await answer).toBe("ECONNRESET");
    for (const pid of pids().values()) await eventually(() => !isAlive(pid));
    held.open();
  });

  test("of the primary by kill -9 is that of its workers, and what they had at work goes on afterwards", async () => {
    await open({ TURN_LEASE_SECONDS: "1" });
    const held = gate();
    pause = () => held.opened;
    const answer = ask("A").catch(() => undefined);
    await eventually(() => asked > 0);
    await server.kill("SIGKILL");
    await answer;
    for (const pid of pids().values()) await eventually(() => !isAlive(pid));
    held.open();
    const first = server;
    await open({}, first.dataDir);
    expect(await ask("A")).toMatchObject({ status: 200, body: { reply: replyTo("A") } });
    await server.stop();
    server = first;
  });
});

describe("a start that fails is told once", () => {
  const start = (env: Record<string, string>) =>
    startServer({ env: { WORKERS: "2", ...env } }).then(
      async (started) => {
        await started.stop();
        throw new Error("It has started");
      },
      (error: Error) => error.message,
    );
  const times = (text: string, part: string) => text.split(part).length - 1;

  beforeEach(() => open());

  test("a port in use, with the cure", async () => {
    const message = await start({ PORT: new URL(server.url).port });
    expect(times(message, "or set PORT to another port")).toBe(1);
  });

  test("wrong settings, before any worker is started", async () => {
    const message = await start({ LOG_LEVEL: "loud", WORKERS: "many" });
    expect(times(message, "WORKERS: must be auto or a whole number from 1 to 256")).toBe(1);
    expect(times(message, "LOG_LEVEL: ")).toBe(1);
  });

  test("what only a worker finds", async () => {
    expect(times(await start({ HOST: "0.0.0.0" }), "HOST=0.0.0.0 opens the server")).toBe(1);
  });
});
