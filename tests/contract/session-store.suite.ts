import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { SessionStore } from "../../src/core/chat/session-store.ts";
import { randomIds } from "../../src/core/ids.ts";

export interface SessionsUnderTest {
  sessions: SessionStore;
  close(): Promise<void>;
}

// To come: what a store may forget by the clock on the wall, it must not forget during a test.
const T0 = Date.parse("2100-01-01T09:00:00Z");
const ids = randomIds(() => T0);

/** What every SessionStore must do; `open` gets the idle time-out in milliseconds. */
export function sessionStoreContract(
  name: string,
  open: (ttlMs: number) => Promise<SessionsUnderTest>,
): void {
  describe(`SessionStore: ${name}`, () => {
    let under: SessionsUnderTest;
    let sessions: SessionStore;

    beforeEach(async () => {
      under = await open(60_000);
      sessions = under.sessions;
    });
    afterEach(() => under.close());

    test("a new session gets the candidate, and keeps it while it is used", async () => {
      const [first, second] = [ids.next(), ids.next()];
      expect(await sessions.resolve("s", first, T0)).toBe(first);
      expect(await sessions.resolve("s", second, T0 + 59_000)).toBe(first);
      expect(await sessions.resolve("s", second, T0 + 118_000)).toBe(first);
    });

    test("after the idle time-out it gets the new candidate", async () => {
      const [first, second] = [ids.next(), ids.next()];
      await sessions.resolve("s", first, T0);
      expect(await sessions.resolve("s", second, T0 + 60_000)).toBe(second);
    });

    test("sessions do not share conversations", async () => {
      const [first, second] = [ids.next(), ids.next()];
      await sessions.resolve("s", first, T0);
      expect(await sessions.resolve("t", second, T0)).toBe(second);
    });

    test("bind sets the conversation of a new session and of an old one", async () => {
      const [first, second] = [ids.next(), ids.next()];
      await sessions.bind("s", first, T0);
      expect(await sessions.resolve("s", second, T0 + 1)).toBe(first);
      await sessions.bind("s", second, T0 + 2);
      expect(await sessions.resolve("s", first, T0 + 60_001)).toBe(second);
    });

    test("of fifty first messages at once one candidate wins", async () => {
      const found = await Promise.all(
        Array.from({ length: 50 }, () => sessions.resolve("s", ids.next(), T0)),
      );
      expect(new Set(found).size).toBe(1);
    });
  });
}
