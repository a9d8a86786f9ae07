import { once } from "node:events";
import { Cluster, type ClusterOptions, Redis } from "ioredis";
import type { Clock } from "../../core/clock.ts";
import { deadline, orAborted } from "../../core/deadline.ts";
import { digest } from "../../core/ids.ts";
import type { Logger } from "../../core/logger.ts";

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

interface RedisLogin {
  readonly username?: string;
  readonly password?: string;
  /** Default false. */
  readonly tls?: boolean;
}

/** Where Redis is: one server, the master that Sentinels name, or a Cluster. */
export type RedisServers =
  /** `redis://[user:password@]host[:port][/db]`, or `rediss://…` for TLS. */
  | { readonly url: string }
  | (RedisLogin & { readonly sentinels: readonly RedisAddress[]; readonly masterName: string })
  /** Some of the Cluster's nodes; the others are found through them. */
  | (RedisLogin & { readonly nodes: readonly RedisAddress[] });

export interface RedisDeps {
  readonly log: Logger;
  readonly clock: Clock;
  /** How long a command may take, in milliseconds. Default 500. */
  readonly commandTimeoutMs?: number;
}

/** What a store's commands are sent to. */
export type RedisCommands = Pick<Redis, "get" | "set" | "del" | "eval">;

/** Between two looks at whether a Redis that is down is back. */
const PROBE_INTERVAL_MS = 250;
const MAX_RECONNECT_DELAY_MS = 1_000;
/** A connection that owes an answer for so long is given up for a new one: its peer may be gone for good. */
const DEAD_CONNECTION_MS = 2_000;

/**
 * A key without any user text. The hash tag (the part in braces) puts all keys of the same parts on the
 * same node of a Cluster (redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
 */
export function redisKey(kind: string, ...parts: string[]): string {
  return `parley:v1:${kind}:{${digest(...parts)}}`;
}

/**
 * Redis, which is never the only copy of anything: when it fails the caller goes on without it. It
 * connects in the background. From the first failure on it counts as down, and no command waits for it,
 * until a probe finds that it can be written to again.
 */
export class RedisClient {
  readonly #redis: Redis | Cluster;
  readonly #deps: RedisDeps;
  readonly #timeoutMs: number;
  readonly #closing = new AbortController();
  readonly #recoveries: ((redis: RedisCommands) => Promise<void>)[] = [];
  #state: "connecting" | "up" | "down" = "connecting";
  /** On the node that failed last, which in a Cluster need not be any other key's. */
  #probeKey = redisKey("probe");

  /** @throws Error when the URL can't be understood. */
  constructor(servers: RedisServers, deps: RedisDeps) {
    this.#deps = deps;
    this.#timeoutMs = deps.commandTimeoutMs ?? 500;
    this.#redis = connect(servers, this.#timeoutMs);
    // Each error also reaches whoever waits for the connection; without a listener it would be printed.
    this.#redis.on("error", () => undefined);
    this.#redis.on("close", () => this.#lost(new Error("The connection is closed")));
    void this.#regain();
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /**
   * Runs the commands of one key.
   *
   * @param work must not resolve to undefined: Redis has null for that.
   * @returns undefined when Redis is down, or fails now: writes may then have been done, or be done later.
   */
  async run<T>(key: string, work: (redis: RedisCommands) => Promise<T>): Promise<T | undefined> {
    if (this.#state !== "up") return undefined;
    try {
      return await this.#inTime(() => work(this.#redis));
    } catch (error) {
      this.#probeKey = key.replace(/^parley:v1:\w+:/, "parley:v1:probe:");
      this.#lost(error);
      return undefined;
    }
  }

  /** `recovery` is run each time before Redis is used again; while it fails, Redis stays down. */
  onReturn(recovery: (redis: RedisCommands) => Promise<void>): void {
    this.#recoveries.push(recovery);
  }

  close(): void {
    this.#closing.abort();
    this.#redis.disconnect();
  }

  #lost(error: unknown): void {
    if (this.#state !== "up" || this.#closing.signal.aborted) return;
    this.#become("down", error);
    void this.#regain();
  }

  async #regain(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#inTime((timeout) => this.#probe(timeout));
        for (const recovery of this.#recoveries) await recovery(this.#redis);
        if (signal.aborted) return;
        return this.#become("up");
      } catch (error) {
        if (signal.aborted) return;
        this.#become("down", error);
        await this.#deps.clock.sleep(PROBE_INTERVAL_MS, signal).catch(() => undefined);
      }
    }
  }

  async #probe(signal: AbortSignal): Promise<void> {
    if (this.#redis.status !== "ready") {
      const ready = once(this.#redis, "ready", { signal });
      // A connection that was given up while it was being made is not tried again by the driver.
      if (this.#redis.status === "end") this.#redis.connect().catch(() => undefined);
      await ready;
    }
    // All nodes: the driver connects to one only when it is first used, and refuses what comes meanwhile.
    if (this.#redis instanceof Cluster) {
      await Promise.all(this.#redis.nodes("master").map((node) => node.ping()));
    }
    // A write: a Redis that is full, or a replica by now, still answers a ping.
    await this.#redis.set(this.#probeKey, "", "PX", 1_000);
  }

  async #inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const tooLate = () => new Error(`No answer within ${this.#timeoutMs} ms`);
    const timeout = deadline(this.#deps.clock, this.#timeoutMs, tooLate, this.#closing.signal);
    try {
      return await orAborted(work(timeout.signal), timeout.signal);
    } finally {
      timeout.clear();
    }
  }

  #become(state: "up" | "down", error?: unknown): void {
    if (this.#state === state) return;
    this.#state = state;
    if (state === "up") this.#deps.log.info({}, "Redis is in use");
    // The message alone: the driver's errors carry their commands, and with AUTH the password.
    else this.#deps.log.warn({ reason: messageOf(error) }, "Redis can't be used; going on without it");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function connect(servers: RedisServers, timeoutMs: number): Redis | Cluster {
  const retryStrategy = (times: number) => Math.min(50 * 2 ** Math.min(times, 10), MAX_RECONNECT_DELAY_MS);
  const options = {
    commandTimeout: timeoutMs,
    connectTimeout: DEAD_CONNECTION_MS,
    socketTimeout: DEAD_CONNECTION_MS,
    disconnectTimeout: timeoutMs,
    // What is under way when a connection closes fails at once, and is never sent twice.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectionName: "parley",
    // A master that a failover made a replica: a new connection finds the new master.
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  };
  const single = { ...options, retryStrategy, enableOfflineQueue: false };
  if ("url" in servers) return new Redis(checkedUrl(servers.url), single);

  const { username, password, tls } = servers;
  const login = { username, password, ...(tls && { tls: {} }) };
  if ("nodes" in servers) {
    const cluster: ClusterOptions = {
      clusterRetryStrategy: retryStrategy,
      enableOfflineQueue: false,
      maxRedirections: 5,
      slotsRefreshTimeout: DEAD_CONNECTION_MS,
      // Certificates name hosts, so with TLS their names are not to become addresses here.
      ...(tls && { dnsLookup: (host, callback) => callback(null, host) }),
      redisOptions: { ...options, ...login },
    };
    return new Cluster([...servers.nodes], cluster);
  }
  return new Redis({
    ...single,
    ...login,
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    sentinels: [...servers.sentinels],
    name: servers.masterName,
    sentinelRetryStrategy: retryStrategy,
    sentinelCommandTimeout: timeoutMs,
  });
}

function checkedUrl(url: string): string {
  const protocol = URL.canParse(url) ? new URL(url).protocol : "";
  if (/^rediss?:$/.test(protocol)) return url;
  // Not quoted: it may hold a password.
  throw new Error("The Redis URL can't be used. It must look like redis://user:password@host:6379/0.");
}
