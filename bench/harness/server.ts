import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** The Node.js that the project brings along runs everything that is measured. */
export const NODE = resolve(import.meta.dirname, "../../node_modules/.bin/node");

/** A server to be started: it listens at the PORT of its environment. */
export interface ServerSpec {
  readonly name: string;
  readonly command: (port: number) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Answered with 200 once the server is ready. Default: it is when it takes connections. */
  readonly readyPath?: string;
  /** Where its output goes, as a service's would: a file. */
  readonly logFile: string;
  readonly timeoutMs?: number;
}

export interface RunningServer {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** From its start until it was ready, in milliseconds. */
  readonly readyMs: number;
  /** SIGTERM, and SIGKILL when that takes too long. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 8_000;
/** How exactly the time until a server is ready is known, in milliseconds. */
const LOOK_MS = 4;

/** What was started and has not ended yet. */
const running = new Set<ChildProcess>();

/** Starts a server and waits until it is ready. @throws Error with the end of its log. */
export async function startServer(spec: ServerSpec, signal?: AbortSignal): Promise<RunningServer> {
  signal?.throwIfAborted();
  const port = await freePort();
  const [file = "", ...args] = spec.command(port);
  const begun = performance.now();
  const log = openSync(spec.logFile, "a");
  const child = spawn(file, args, {
    cwd: spec.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port), ...spec.env },
    stdio: ["ignore", log, log],
    // A group of its own: Ctrl-C on the terminal is for the harness, which then stops it.
    detached: true,
  });
  closeSync(log);
  running.add(child);
  const ended = once(child, "exit").then(
    () => "it ended",
    (error: Error) => error.message,
  );
  let problem: string | undefined;
  void ended.then((reason) => {
    running.delete(child);
    problem = reason;
  });
  const fail = async (reason: string): Promise<never> => {
    await stopChild(child, ended);
    throw new Error(`${spec.name} could not be started: ${reason}\n${tail(spec.logFile)}`.trim());
  };
  while (!(await isReady(port, spec.readyPath))) {
    if (signal?.aborted) await fail("interrupted");
    if (problem) await fail(problem);
    if (performance.now() - begun > (spec.timeoutMs ?? START_TIMEOUT_MS))
      await fail("it was not ready in time");
    await delay(LOOK_MS);
  }
  return {
    name: spec.name,
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    readyMs: performance.now() - begun,
    stop: () => stopChild(child, ended),
  };
}

/** For the moment when the harness itself ends, in whatever way: nothing is left behind. */
export function killAll(): void {
  for (const child of running) signalGroup(child, "SIGKILL");
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || !address) throw new Error("A TCP server has no port");
  return address.port;
}

function isReady(port: number, path: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    if (path === undefined) {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => {
        socket.end();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
      return;
    }
    const asked = request({ host: "127.0.0.1", port, path, agent: false, timeout: 2_000 });
    asked.on("response", (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

async function stopChild(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  signalGroup(child, "SIGTERM");
  const late = setTimeout(() => signalGroup(child, "SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(late);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || !running.has(child)) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has just gone by itself.
  }
}

function tail(file: string): string {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-8).join("\n");
}
