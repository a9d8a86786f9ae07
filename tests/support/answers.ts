import type { Clock } from "../../src/core/clock.ts";
import type { ModelEvent } from "./model-events.ts";
import type { ScriptedAnswer } from "./scripted-model.ts";

/** An answer that takes a while. */
export function takes(clock: Clock, ms: number, events: ModelEvent[]): ScriptedAnswer {
  return async function* (_, signal) {
    await clock.sleep(ms, signal);
    yield* events;
  };
}

/** Something that others wait for until the test opens it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
