import { expect, test } from "@jest/globals";
import { Channel } from "../../../src/workers/channel.ts";
import { connect } from "../../support/workers.ts";

const FAR = {
  double: async (number: number) => 2 * number,
  fail(reason: string) {
    throw new Error(reason);
  },
  hang: (_: null) => new Promise<never>(() => undefined),
};
const NEAR = { name: (_: null) => "near" };
const MS = 5_000;

test("each end answers what the other asks, however many questions there are at once", async () => {
  const { near, far } = connect(NEAR, FAR);
  const numbers = Array.from({ length: 100 }, (_, index) => index);
  const doubled = numbers.map((number) => near.ask("double", number, MS));
  expect(await far.ask("name", null, MS)).toBe("near");
  expect(await Promise.all(doubled)).toEqual(numbers.map((number) => 2 * number));
});

test("an error at the other end is one at this end, in its words", async () => {
  const { near } = connect(NEAR, FAR);
  await expect(near.ask("fail", "No room", MS)).rejects.toThrow("No room");
});

test("what the other end does not know is an error, as when it is of another version", async () => {
  const { near } = connect(NEAR, {} as typeof FAR);
  await expect(near.ask("double", 1, MS)).rejects.toThrow("There is no double to be asked for");
});

test("no answer in time is an error, and one that comes too late does no harm", async () => {
  const late = Promise.withResolvers<number>();
  const { near } = connect(NEAR, { late: (_: null) => late.promise, ...FAR });
  await expect(near.ask("late", null, 1)).rejects.toThrow("No answer to late within 1 ms");
  late.resolve(1);
  expect(await near.ask("double", 2, MS)).toBe(4);
});

test("whoever waits when the other end is gone hears so, and whoever asks later", async () => {
  const { near } = connect(NEAR, FAR);
  const waiting = near.ask("hang", null, MS);
  near.close(new Error("Worker 7 has ended"));
  await expect(waiting).rejects.toThrow("Worker 7 has ended");
  await expect(near.ask("double", 1, MS)).rejects.toThrow("Worker 7 has ended");
});

test("what can't be sent is an error", async () => {
  const channel = new Channel<typeof FAR>((_, done) => done(new Error("channel closed")), {});
  await expect(channel.ask("double", 1, MS)).rejects.toThrow("channel closed");
});
