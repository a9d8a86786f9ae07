import { setTimeout as sleep } from "node:timers/promises";
import { type Api, GrammyError } from "grammy";
import type { Update } from "grammy/types";
import { BackOff, type Pace } from "../common/back-off.ts";
import { describeApiError } from "./api.ts";
import type { Log } from "./log.ts";

export const ALLOWED_UPDATES = ["message", "edited_message"] as const;

export interface PollerOptions {
  readonly api: Pick<Api, "getUpdates">;
  /** Resolves once the update needs no further delivery; must stand deliveries that repeat. */
  readonly take: (update: Update) => Promise<void>;
  /** Updates at work at most, and of those behind the oldest of them; at most 100. */
  readonly window: number;
  readonly onTry: (succeeded: boolean) => void;
  readonly log: Log;
  readonly pace?: Pace;
}

const LONG_POLL_SECONDS = 50;
/** Between looks for new updates while others are at work, in milliseconds. */
const LOOK_MS = 250;

/**
 * Long polling that loses no update. Telegram forgets all updates before the `offset` of a request, so
 * that is never beyond the oldest update at work: killed at any moment, the bot gets all that it had
 * not answered again.
 *
 * With updates unconfirmed Telegram answers at once and has them all in its answer; while any are at
 * work the poller therefore looks every {@link LOOK_MS}, and sees at most `window` updates from the
 * oldest on. What keeps that one from ending holds the others up, but not for ever: see
 * `Conversations` and `createApi` for how long each waits.
 */
export class Poller {
  readonly #options: PollerOptions;
  readonly #stop = new AbortController();
  /** Updates since the oldest at work, that one included: whether they are done. */
  readonly #seen = new Map<number, boolean>();
  /** What the next request confirms: all updates before it. */
  #offset = 0;
  #running: Promise<void> = Promise.resolve();
  #allDone = Promise.withResolvers<void>();

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#poll();
  }

  /** Asks for no more updates. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Tells Telegram what is done. Without it, after a stop, that would be delivered once more. */
  async confirm(): Promise<void> {
    this.#advance();
    if (this.#offset > 0) await this.#options.api.getUpdates({ offset: this.#offset, limit: 1, timeout: 0 });
  }

  async #poll(): Promise<void> {
    const { api, log, onTry, pace = { firstMs: 500, maxMs: 30_000 }, window } = this.#options;
    const { signal } = this.#stop;
    const backOff = new BackOff(pace, signal);
    while (!signal.aborted) {
      try {
        this.#advance();
        const offset = this.#offset;
        const updates = await api.getUpdates(
          {
            // Once all is confirmed none is asked for: after a quiet week Telegram numbers updates anew,
            // and may begin with a lower number ("Update", update_id).
            ...(offset > 0 && { offset }),
            limit: window,
            timeout: this.#seen.size > 0 ? 0 : LONG_POLL_SECONDS,
            allowed_updates: ALLOWED_UPDATES,
          },
          // grammY's types want a polyfill's signal; its code takes any.
          signal as Parameters<typeof api.getUpdates>[1],
        );
        onTry(true);
        backOff.reset();
        if (this.#seen.size === 0) this.#offset = 0;
        for (const update of updates) this.#begin(update);
        if (this.#isBusy) await this.#untilDone(signal);
      } catch (error) {
        if (signal.aborted) return;
        onTry(false);
        log.warn(describeApiError(error), problem(error));
        await backOff.wait().catch(() => undefined);
      }
    }
  }

  #begin(update: Update): void {
    const id = update.update_id;
    if (this.#seen.has(id)) return;
    this.#seen.set(id, false);
    this.#options.take(update).then(
      () => {
        this.#seen.set(id, true);
        if (!this.#isBusy) this.#allDone.resolve();
      },
      // It stays unconfirmed: the bot is stopping.
      () => undefined,
    );
  }

  get #isBusy(): boolean {
    return [...this.#seen.values()].includes(false);
  }

  /** Moves the offset behind the updates that are done, up to the oldest that is not. */
  #advance(): void {
    for (const id of [...this.#seen.keys()].sort((a, b) => a - b)) {
      if (!this.#seen.get(id)) return;
      this.#seen.delete(id);
      this.#offset = id + 1;
    }
  }

  /** Until nothing is at work, or it is time to look for more. */
  async #untilDone(signal: AbortSignal): Promise<void> {
    this.#allDone = Promise.withResolvers();
    const enough = new AbortController();
    const timer = sleep(LOOK_MS, undefined, { signal: AbortSignal.any([signal, enough.signal]) });
    await Promise.race([timer.catch(() => undefined), this.#allDone.promise]);
    enough.abort();
  }
}

function problem(error: unknown): string {
  if (error instanceof GrammyError && error.error_code === 409) {
    return "Telegram gives the updates to somebody else: is another bot running with this token?";
  }
  if (error instanceof GrammyError && error.error_code === 401) {
    return "Telegram does not take the bot's token any more: ask @BotFather for the new one";
  }
  return "Telegram gives no updates; trying again";
}
