import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { ConversationStore } from "./conversation-store.ts";
import type { TurnRunner } from "./turn-runner.ts";

/** Turns that one process takes over at a time. */
const MAX_AT_ONCE = 16;

/**
 * Looks every `intervalMs` for turns whose process has died, and brings them to their end, until
 * `signal` aborts. Any number of processes may do so.
 */
export async function sweepExpiredTurns(
  { runner, store, clock, log }: { runner: TurnRunner; store: ConversationStore; clock: Clock; log: Logger },
  intervalMs: number,
  signal: AbortSignal,
): Promise<void> {
  let atWork = 0;
  while (!signal.aborted) {
    try {
      const free = MAX_AT_ONCE - atWork;
      const refs = free > 0 ? await store.listExpiredTurns(clock.now(), free) : [];
      for (const ref of refs) {
        log.info({ conversation_id: ref.conversationId, seq: ref.seq }, "Taking over an interrupted turn");
        atWork++;
        runner
          .takeOver(ref, log)
          .catch((error) => log.warn({ err: error }, "An interrupted turn could not be brought to its end"))
          .finally(() => atWork--);
      }
    } catch (error) {
      log.warn({ err: error }, "Interrupted turns could not be looked for");
    }
    await clock.sleep(intervalMs, signal).catch(() => undefined);
  }
}
