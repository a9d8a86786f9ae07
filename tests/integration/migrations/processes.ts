import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { NODE } from "../../support/server.ts";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a TypeScript file in a process of its own, without any variable of this one but PATH. */
export async function runScript(
  file: URL,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(
    NODE,
    ["--experimental-transform-types", "--no-warnings", fileURLToPath(file), ...args],
    { env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code, stdout, stderr };
}

/** Two processes that bring one store up at the same time. */
export async function runUpTwice(store: "mongo" | "sqlite", place: string): Promise<Ended[]> {
  const file = new URL("./run-up.ts", import.meta.url);
  return Promise.all([1, 2].map(() => runScript(file, [store, place])));
}

/** Which migrations the processes say that they applied, in order. */
export function appliedVersions(processes: readonly Ended[]): number[] {
  const lines = processes.map(({ stdout }) => stdout).join("\n");
  return [...lines.matchAll(/Applied migration (\d+)/g)].map(([, version]) => Number(version)).sort();
}
