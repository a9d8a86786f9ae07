import type { Clock } from "./core/clock.ts";
import { deadline, orAborted } from "./core/deadline.ts";
import type { Logger } from "./core/logger.ts";

/** What is left to do once the turns at work have had their time: each is given up after so long, in milliseconds. */
const LIMITS = {
  /** To hand over the leases of turns that have not ended. */
  handOver: 2_000,
  /** To send the last answers. */
  answers: 1_000,
  /** To let go of the stores. */
  stores: 1_000,
  /** To send the last traces, at the same time. */
  traces: 1_000,
};

export interface ShutDownDeps {
  readonly runner: { stop(graceMs: number): Promise<void> };
  readonly server: { drain(): void; close(graceMs: number): Promise<void> };
  /** Of what else still works with the stores. */
  readonly idle: Promise<unknown>;
  readonly stores: { close(): Promise<void> };
  readonly tracing?: { shutdown(): Promise<void> };
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Ends a server without losing an answer: no more work, then the turns at work to their end or into
 * other hands, then the connections, then the stores. It takes at most `graceMs` and four seconds,
 * whoever hangs.
 */
export async function shutDown(deps: ShutDownDeps, graceMs: number): Promise<void> {
  const { runner, server, idle, stores, tracing, clock, log } = deps;
  const within = async (ms: number, work: Promise<unknown>, what: string) => {
    const limit = deadline(clock, ms, () => new Error(`Not done within ${ms} ms`));
    await orAborted(work, limit.signal).catch((error) => {
      log.warn({ err: error }, `The server ends although ${what}`);
    });
    limit.clear();
  };
  server.drain();
  await within(graceMs + LIMITS.handOver, runner.stop(graceMs), "turns at work could not be handed over");
  await server.close(LIMITS.answers);
  const letGo = idle.then(() => stores.close());
  await Promise.all([
    within(LIMITS.stores, letGo, "its stores did not let go"),
    tracing && within(LIMITS.traces, tracing.shutdown(), "its last traces could not be sent"),
  ]);
}
