import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll } from "@jest/globals";
import type { RedisServers } from "../../src/stores/redis/client.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { describeWith } from "./system-program.ts";

/** One process of redis-server, without persistence. */
export interface RedisProcess {
  readonly port: number;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  restart(): Promise<void>;
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(): void;
  resume(): void;
  /** Runs redis-cli, as another client. */
  cli(...args: string[]): Promise<string>;
}

/** A kind of Redis, running: how to find it, and its processes; of a Sentinel pair the master is first. */
export interface RedisUnderTest {
  readonly servers: RedisServers;
  readonly processes: readonly RedisProcess[];
  /** SIGKILL to all of it. */
  stop(): Promise<void>;
}

/** Describes tests that need Redis, as {@link describeWith} does, and stops what they started. */
export function describeRedis(
  name: string,
  tests: (start: <T extends RedisUnderTest>(starting: Promise<T>) => Promise<T>) => void,
): void {
  describeWith({ program: "redis-server", debianPackage: "redis-server" }, name, () => {
    const started: RedisUnderTest[] = [];
    tests(async (starting) => {
      const redis = await starting;
      started.push(redis);
      return redis;
    });
    afterAll(async () => {
      for (const redis of started) await redis.stop();
    });
  });
}

export async function startRedis(args: string[] = []): Promise<RedisUnderTest & { process: RedisProcess }> {
  const folder = await mkdtemp(join(tmpdir(), "parley-redis-"));
  const server = await startProcess(folder, args);
  return {
    servers: { url: `redis://127.0.0.1:${server.port}` },
    process: server,
    processes: [server],
    stop: () => stopAll(folder, [server]),
  };
}

/** Three masters, without replicas. */
export async function startRedisCluster(): Promise<RedisUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "parley-redis-cluster-"));
  const node = async (name: string) => {
    const busPort = await freePort();
    const file = join(folder, `${name}.conf`);
    return startProcess(folder, [
      ...["--cluster-enabled", "yes", "--cluster-config-file", file, "--cluster-port", String(busPort)],
      ...["--cluster-node-timeout", "2000"],
    ]);
  };
  const nodes = [await node("one"), await node("two"), await node("three")] as const;
  const addresses = nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
  const hosts = addresses.map(({ host, port }) => `${host}:${port}`);
  await nodes[0].cli("--cluster", "create", ...hosts, "--cluster-yes");
  for (const { cli } of nodes) {
    await eventually(async () => (await cli("cluster", "info")).includes("cluster_state:ok"));
  }
  return { servers: { nodes: addresses }, processes: nodes, stop: () => stopAll(folder, nodes) };
}

/** A master, its replica, and one Sentinel that alone decides on a failover. */
export async function startSentinelPair(): Promise<RedisUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "parley-redis-sentinel-"));
  const master = await startProcess(folder);
  const replica = await startProcess(folder, ["--replicaof", "127.0.0.1", String(master.port)]);
  await eventually(async () => (await replica.cli("info", "replication")).includes("master_link_status:up"));
  const file = join(folder, "sentinel.conf");
  await writeFile(
    file,
    [
      `sentinel monitor parley 127.0.0.1 ${master.port} 1`,
      "sentinel down-after-milliseconds parley 500",
      "sentinel failover-timeout parley 2000",
    ].join("\n"),
  );
  const sentinel = await startProcess(folder, ["--sentinel"], [file], /\+monitor master/);
  await eventually(async () =>
    (await sentinel.cli("sentinel", "master", "parley")).includes("num-slaves\n1"),
  );
  const processes = [master, replica, sentinel] as const;
  return {
    servers: { sentinels: [{ host: "127.0.0.1", port: sentinel.port }], masterName: "parley" },
    processes,
    stop: () => stopAll(folder, processes),
  };
}

async function startProcess(
  folder: string,
  args: string[] = [],
  file: string[] = [],
  isReady = /Ready to accept connections/,
): Promise<RedisProcess> {
  const port = await freePort();
  const start = () =>
    spawnUntil(isReady, [
      ...file,
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
      // Sentinels take no options of a store.
      ...(file.length > 0 ? [] : ["--save", "", "--appendonly", "no"]),
      ...args,
    ]);
  let child = await start();
  return {
    port,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
    async restart() {
      child = await start();
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async cli(...command) {
      const { stdout } = await promisify(execFile)("redis-cli", ["-p", String(port), ...command]);
      return stdout.trim();
    },
  };
}

async function spawnUntil(isReady: RegExp, args: string[]): Promise<ChildProcess> {
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  const output: string[] = [];
  const lines = createInterface(child.stdout);
  const ready = new Promise<void>((resolve, reject) => {
    lines.on("line", (line) => {
      if (output.length < 100) output.push(line);
      if (isReady.test(line)) resolve();
    });
    child.once("exit", () => reject(new Error(`redis-server did not start:\n${output.join("\n")}`)));
  });
  await ready;
  return child;
}

async function stopAll(folder: string, processes: readonly RedisProcess[]): Promise<void> {
  await Promise.all(processes.map((server) => server.kill()));
  await rm(folder, { recursive: true, force: true });
}
