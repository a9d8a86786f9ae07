import type { MongoClient } from "mongodb";

interface Heartbeat {
  /** On performance.now's clock. */
  readonly startedAt: number;
  readonly limitMs: number;
}

/**
 * Watches the driver watch its servers. Where one of its monitors writes to a socket that is destroyed, but
 * has not emitted `close` yet, it waits for a `drain` that never comes (mongodb 7.9,
 * Connection.writeCommand): that server then stays unknown for good, however well it is, and can be used
 * again only by connecting anew.
 */
export class Heartbeats {
  /** Those that have neither succeeded nor failed, by the server's address. */
  readonly #running = new Map<string, Heartbeat>();

  constructor(client: MongoClient) {
    const { connectTimeoutMS, heartbeatFrequencyMS } = client.options;
    client.on("serverHeartbeatStarted", ({ connectionId, awaited }) => {
      // A connection and its first command have a time-out each; a server that is awaited may also
      // have no news for as long as it was told to.
      const limitMs = 2 * connectTimeoutMS + (awaited ? heartbeatFrequencyMS : 0);
      this.#running.set(connectionId, { startedAt: performance.now(), limitMs });
    });
    client.on("serverHeartbeatSucceeded", ({ connectionId }) => this.#running.delete(connectionId));
    client.on("serverHeartbeatFailed", ({ connectionId }) => this.#running.delete(connectionId));
    client.on("serverClosed", ({ address }) => this.#running.delete(address));
  }

  /** Whether one goes on for longer than it can. */
  get stuck(): boolean {
    const now = performance.now();
    return [...this.#running.values()].some(({ startedAt, limitMs }) => now - startedAt > limitMs);
  }
}
