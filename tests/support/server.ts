import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

/** The Node.js that the project brings along. */
export const NODE = resolve("node_modules/.bin/node");
/** What starts the built server, as `make run` does. */
const SERVER = resolve("bin/parley-server");

/** A built program in a process of its own. */
export interface RunningProgram {
  /** What its log's first match of the ready pattern captured. */
  readonly ready: string;
  readonly pid: number;
  /** What it has written so far, by lines. */
  readonly log: readonly string[];
  /** Sends the signal, and waits for the end. Fails, with its log, when it has ended by itself before. */
  kill(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface RunningServer extends Pick<RunningProgram, "pid" | "log" | "kill"> {
  readonly url: string;
  /** To start another server on the same data, once this one has ended. */
  readonly dataDir: string;
  /** Ends it, and removes its data unless `dataDir` was given. */
  stop(): Promise<void>;
}

/**
 * Starts the built server in a process of its own, on a free port, and waits until it
 * is ready. It sees no variable of this process but PATH, and no .env file; without network its
 * weather tool fails at once.
 */
export async function startServer(
  options: { env?: Readonly<Record<string, string>>; dataDir?: string } = {},
): Promise<RunningServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "parley-server-")));
  const { ready, pid, log, kill } = await startProgram([SERVER], /Parley is ready at (http:[^\s"]+)/, {
    cwd: dataDir,
    env: {
      HOST: "127.0.0.1",
      PORT: "0",
      DATA_DIR: dataDir,
      DEFAULT_TIMEZONE: "UTC",
      // Tests are in a hurry.
      API_RATE_LIMIT_RPS: "0",
      OPEN_METEO_GEOCODING_URL: "http://127.0.0.1:9",
      OPEN_METEO_FORECAST_URL: "http://127.0.0.1:9",
      RETRY_BASE_DELAY_MS: "1",
      OUTBOUND_ALLOW: "127.0.0.1",
      ...options.env,
    },
  });
  return {
    url: ready,
    pid,
    dataDir,
    log,
    kill,
    async stop() {
      await kill("SIGTERM");
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true });
    },
  };
}

/** Starts a program, and waits until a line of its log matches. It sees PATH and `env` alone. */
export async function startProgram(
  command: readonly string[],
  isReady: RegExp,
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string>> },
): Promise<RunningProgram> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const log: string[] = [];
  const ready = new Promise<string>((resolve, reject) => {
    const read = (line: string) => {
      log.push(line);
      const found = isReady.exec(line)?.[1];
      if (found) resolve(found);
    };
    createInterface({ input: child.stdout }).on("line", read);
    createInterface({ input: child.stderr }).on("line", read);
    ended.then(() => reject(new Error(`${command.at(-1)} did not start:\n${log.join("\n")}`)), reject);
  });
  let killed = false;
  return {
    ready: await ready,
    pid: child.pid ?? 0,
    log,
    async kill(name) {
      const alive = child.kill(name);
      const [code, signal] = await ended;
      if (!alive && !killed) {
        throw new Error(`${command.at(-1)} ended by itself (${code ?? signal}):\n${log.join("\n")}`);
      }
      killed = true;
      return { code, signal };
    },
  };
}

/** The path of a built program. */
export function built(file: string): string {
  const path = resolve("dist", file);
  if (!existsSync(path)) throw new Error(`${path} is missing. Run: make build`);
  return path;
}
