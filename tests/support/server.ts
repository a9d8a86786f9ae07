import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

/** The Node.js that the project brings along. */
export const NODE = resolve("node_modules/.bin/node");

export interface RunningServer {
  readonly url: string;
  /** To start another server on the same data, once this one has ended. */
  readonly dataDir: string;
  /** Sends the signal, and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends it, and removes its data unless `dataDir` was given. */
  stop(): Promise<void>;
}

/**
 * Starts the built server (dist/main.js) in a process of its own, on a free port, and waits until it
 * is ready. It sees no variable of this process but PATH, and no .env file; without network its
 * weather tool fails at once.
 */
export async function startServer(
  options: { env?: Readonly<Record<string, string>>; dataDir?: string } = {},
): Promise<RunningServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "parley-server-")));
  const child = spawn(NODE, [built("main.js")], {
    cwd: dataDir,
    env: {
      PATH: process.env.PATH,
      HOST: "127.0.0.1",
      PORT: "0",
      DATA_DIR: dataDir,
      DEFAULT_TIMEZONE: "UTC",
      OPEN_METEO_GEOCODING_URL: "http://127.0.0.1:9",
      OPEN_METEO_FORECAST_URL: "http://127.0.0.1:9",
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const kill: RunningServer["kill"] = async (name) => {
    child.kill(name);
    const [code, signal] = await ended;
    return { code, signal };
  };
  return {
    url: await readyUrl(child),
    dataDir,
    kill,
    async stop() {
      await kill("SIGTERM");
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true });
    },
  };
}

/** The path of a built program. */
export function built(file: string): string {
  const path = resolve("dist", file);
  if (!existsSync(path)) throw new Error(`${path} is missing. Run: make build`);
  return path;
}

function readyUrl({ stdout, stderr }: ChildProcess): Promise<string> {
  if (!stdout || !stderr) throw new Error("The server's output is not piped");
  const complaints = text(stderr);
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    createInterface({ input: stdout })
      .on("line", (line) => {
        lines.push(line);
        const url = /Parley is ready at (http:[^\s"]+)/.exec(line)?.[1];
        if (url) resolve(url);
      })
      .on("close", async () =>
        reject(new Error(`The server stopped: ${lines.join("\n")}\n${await complaints}`)),
      );
  });
}
