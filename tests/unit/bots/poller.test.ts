import { expect, test } from "@jest/globals";
import type { Update } from "grammy/types";
import { createLog } from "../../../bots/telegram/log.ts";
import { Poller } from "../../../bots/telegram/poller.ts";
import { settle } from "../../support/fake-clock.ts";

interface Request {
  readonly offset?: number;
  readonly timeout: number;
  readonly limit: number;
}

/** A poller between a Telegram and updates whose ends are the test's own. */
function openPoller() {
  const requests: { request: Request; answer: (ids: number[]) => Promise<void> }[] = [];
  const ends = new Map<number, () => void>();
  const poller = new Poller({
    api: {
      getUpdates(request, signal) {
        const { promise, resolve, reject } = Promise.withResolvers<Update[]>();
        signal?.addEventListener("abort", () => reject(new Error("aborted")));
        const answer = async (ids: number[]) => {
          resolve(ids.map((update_id) => ({ update_id }) as Update));
          await settle();
        };
        requests.push({ request: request as Request, answer });
        return promise;
      },
    },
    take: ({ update_id }) => new Promise((resolve) => ends.set(update_id, () => resolve())),
    window: 10,
    onTry: () => undefined,
    log: createLog("silent", { secrets: [] }),
  });
  /** The request at work, the next one once there is one. */
  const next = async (count: number) => {
    while (requests.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    const request = requests[count - 1];
    if (!request) throw new Error("There is no such request");
    return request;
  };
  const end = async (id: number) => {
    ends.get(id)?.();
    await settle();
  };
  return { poller, next, end, taken: () => [...ends.keys()] };
}

test("the offset is never beyond the oldest update at work", async () => {
  const { poller, next, end, taken } = openPoller();
  poller.start();
  const first = await next(1);
  expect(first.request).toMatchObject({ timeout: 50, limit: 10 });
  expect(first.request.offset).toBeUndefined();
  await first.answer([5, 6, 7]);
  await end(7);
  await end(5);

  const second = await next(2);
  expect(second.request).toMatchObject({ offset: 6, timeout: 0 });
  await second.answer([6, 7, 8]);
  expect(taken()).toEqual([5, 6, 7, 8]);
  await end(8);
  await end(6);

  // All is done: this confirms it, and waits for more.
  const third = await next(3);
  expect(third.request).toMatchObject({ offset: 9, timeout: 50 });
  await third.answer([]);
  expect((await next(4)).request.offset).toBeUndefined();
  await poller.stop();
});

test("a stop ends the long poll, and what was done since is confirmed", async () => {
  const { poller, next, end } = openPoller();
  poller.start();
  await (await next(1)).answer([5, 6]);
  await end(5);
  await poller.stop();
  const confirming = poller.confirm();
  const last = await next(2);
  expect(last.request).toEqual({ offset: 6, limit: 1, timeout: 0 });
  await last.answer([6]);
  await confirming;
});
