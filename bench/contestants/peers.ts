import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Bench } from "../harness/bench.ts";
import { NODE, type ServerSpec } from "../harness/server.ts";
import type { Traffic } from "../load/traffic.ts";
import { AI_SDK, MASTRA } from "../report/names.ts";

const FOLDER = resolve(import.meta.dirname, "..");
const PACKAGES = join(FOLDER, "node_modules");

/** Another project's server for the same turn; none of them is durable but Mastra. */
export interface Peer {
  readonly package: string;
  readonly traffic: Traffic;
  readonly spec: ServerSpec;
}

export function peers(bench: Bench): Peer[] {
  const server = (name: string, packageName: string, file: string): Peer => ({
    package: packageName,
    traffic: { kind: "turns" },
    spec: {
      name,
      command: () => [NODE, join(FOLDER, "peers", file)],
      // Mastra keeps its database in the folder that it is started from.
      cwd: bench.folder,
      env: peerEnvironment(bench),
      logFile: join(bench.folder, `${file}.log`),
    },
  });
  return [
    server(AI_SDK, "ai", "ai-sdk.mjs"),
    server("OpenAI Agents SDK", "@openai/agents", "openai-agents.mjs"),
    server(MASTRA, "@mastra/core", "mastra.mjs"),
    {
      package: "@portkey-ai/gateway",
      traffic: { kind: "gateway", provider: bench.providerUrl() },
      spec: {
        name: "Portkey gateway",
        command: (port) => [
          NODE,
          join(PACKAGES, "@portkey-ai/gateway/build/start-server.js"),
          `--port=${port}`,
          "--headless",
        ],
        env: { ...peerEnvironment(bench), TRUSTED_CUSTOM_HOSTS: "127.0.0.1" },
        logFile: join(bench.folder, "portkey.log"),
      },
    },
  ];
}

/** Why a peer can't take part, if so. */
export function missing(peer: Peer): string | undefined {
  if (existsSync(join(PACKAGES, peer.package, "package.json"))) return undefined;
  return `${peer.package} is not installed: run npm ci in bench/`;
}

function peerEnvironment(bench: Bench): Record<string, string> {
  return {
    NODE_ENV: "production",
    MODEL_URL: bench.providerUrl(),
    OPENAI_API_KEY: "none",
    OPENAI_AGENTS_DISABLE_TRACING: "1",
    MASTRA_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
  };
}
