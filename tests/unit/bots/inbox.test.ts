import { expect, test } from "@jest/globals";
import { Inbox } from "../../../bots/common/inbox.ts";
import { settle } from "../../support/fake-clock.ts";

interface Event {
  readonly id: number;
  readonly lane: string;
}

/** An inbox whose events end when the test says so. */
function openInbox() {
  const begun: number[] = [];
  const ends = new Map<number, PromiseWithResolvers<void>>();
  const inbox = new Inbox<Event>({
    idOf: ({ id }) => id,
    laneOf: ({ lane }) => lane,
    handle({ id }) {
      begun.push(id);
      const end = Promise.withResolvers<void>();
      ends.set(id, end);
      return end.promise;
    },
  });
  const end = async (id: number) => {
    ends.get(id)?.resolve();
    await settle();
  };
  const fail = async (id: number) => {
    ends.get(id)?.reject(new Error("left undone"));
    await settle();
  };
  return { inbox, begun, end, fail };
}

test("events of a lane are handled in order, lanes side by side", async () => {
  const { inbox, begun, end } = openInbox();
  for (const [id, lane] of [
    [1, "a"],
    [2, "a"],
    [3, "b"],
    [4, "a"],
  ] as const)
    void inbox.take({ id, lane });
  await settle();
  expect(begun).toEqual([1, 3]);
  await end(1);
  expect(begun).toEqual([1, 3, 2]);
  await end(2);
  expect(begun).toEqual([1, 3, 2, 4]);
  expect(inbox.size).toBe(2);
});

test("an event that comes again, while it is at work or later, is not handled again", async () => {
  const { inbox, begun, end } = openInbox();
  const done: string[] = [];
  for (const name of ["first", "second"]) void inbox.take({ id: 1, lane: "a" }).then(() => done.push(name));
  await settle();
  expect(done).toEqual([]);
  await end(1);
  expect(done).toEqual(["first", "second"]);
  await inbox.take({ id: 1, lane: "a" });
  expect(begun).toEqual([1]);
});

test("an event left undone holds back those behind it, and is handled when it comes again", async () => {
  const { inbox, begun, end, fail } = openInbox();
  const first = inbox.take({ id: 1, lane: "a" }).catch((error) => error.message);
  const second = inbox.take({ id: 2, lane: "a" }).catch((error) => error.message);
  await settle();
  await fail(1);
  expect([await first, await second]).toEqual(["left undone", "left undone"]);
  const again = inbox.take({ id: 1, lane: "a" });
  await settle();
  await end(1);
  await again;
  expect(begun).toEqual([1, 1]);
});

test("a closed inbox ends what it has begun, and begins nothing more", async () => {
  const { inbox, begun, end } = openInbox();
  void inbox.take({ id: 1, lane: "a" });
  const behind = inbox.take({ id: 2, lane: "a" }).catch((error) => error.message);
  await settle();
  let closed = false;
  const closing = inbox.close().then(() => {
    closed = true;
  });
  await settle();
  expect(closed).toBe(false);
  await end(1);
  await closing;
  expect(await behind).toBe("The bot is stopping");
  await expect(inbox.take({ id: 3, lane: "b" })).rejects.toThrow("stopping");
  expect(begun).toEqual([1]);
});
