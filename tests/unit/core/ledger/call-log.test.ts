import { beforeEach, describe, expect, test } from "@jest/globals";
import { CallLog, firstCalls } from "../../../../src/core/ledger/call-log.ts";
import { metered } from "../../../../src/core/ledger/metered-model.ts";
import { type ModelCall, outcomeOfEach } from "../../../../src/core/ledger/model-call.ts";
import { PriceList } from "../../../../src/core/ledger/price-list.ts";
import { UNOBSERVED_RUN } from "../../../../src/core/turn-observer.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { hangs, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { TestLog } from "../../../support/test-log.ts";

const USAGE = { inputTokens: 10, outputTokens: 5 };
const clock = new FakeClock();
const deps = {
  model: { provider: "p", model: "m" },
  clock,
  prices: new PriceList([
    { provider: "p", model: "m", input: "1", output: "2", date: "2026-11-21", source: "a test" },
  ]),
};

/** What was written, one array for each write. */
let written: ModelCall[][];
let isBroken: boolean;
const write = async (calls: readonly ModelCall[]) => {
  if (isBroken) throw new Error("The store is away");
  written.push([...calls]);
};
const states = (calls: readonly ModelCall[] = []) => calls.map(({ id, status }) => [id, status]);

beforeEach(() => {
  written = [];
  isBroken = false;
});

describe("a call log", () => {
  test("announced calls and their outcomes ride with the turn's own writes", async () => {
    const log = new CallLog(deps, "run", write, UNOBSERVED_RUN, firstCalls(deps, "run"));
    const first = await log.recorder("reply").begin();
    await clock.advance(20);
    first.end("ok", USAGE);
    log.announce("reply");
    await log.carry(write);
    (await log.recorder("reply").begin()).end("ok");
    log.close("reply");
    await log.carry(write);
    expect(written.map(states)).toEqual([
      [
        ["run-1", "ok"],
        ["run-3", "open"],
      ],
      [["run-3", "ok"]],
    ]);
    expect(written[0]?.[0]).toMatchObject({ durationMs: 20, usage: USAGE, cost: 20_000_000n });
  });

  test("a call that nothing announced is written down before it is sent", async () => {
    const log = new CallLog(deps, "run", write, UNOBSERVED_RUN, firstCalls(deps, "run"));
    (await log.recorder("reply").begin()).end("failed");
    const again = await log.recorder("reply").begin();
    expect(written.map(states)).toEqual([
      [
        ["run-1", "failed"],
        ["run-3", "open"],
      ],
    ]);
    again.end("ok");
  });

  test("a call that can't be written down is not sent", async () => {
    const log = new CallLog(deps, "run", write, UNOBSERVED_RUN);
    isBroken = true;
    await expect(log.recorder("reply").begin()).rejects.toThrow("away");
    isBroken = false;
    await log.carry(write);
    expect(outcomeOfEach(written.flat()).map(({ status }) => status)).toEqual(["unsent"]);
  });

  test("what a failed write did not take is carried by the next one", async () => {
    const log = new CallLog(deps, "run", write, UNOBSERVED_RUN, firstCalls(deps, "run"));
    (await log.recorder("reply").begin()).end("ok");
    isBroken = true;
    await expect(log.carry(write)).rejects.toThrow("away");
    isBroken = false;
    await log.carry(async () => false);
    await log.carry(write);
    expect(written.map(states)).toEqual([[["run-1", "ok"]]]);
  });

  test("closing tells apart what was never sent and what is not waited for", async () => {
    const log = new CallLog(deps, "run", write, UNOBSERVED_RUN, firstCalls(deps, "run"));
    const reply = await log.recorder("reply").begin();
    log.close("reply");
    log.close("title");
    // What still comes of it is too late.
    reply.end("ok", USAGE);
    await log.finish(new TestLog());
    expect(written.map(states)).toEqual([
      [
        ["run-1", "aborted"],
        ["run-2", "unsent"],
      ],
    ]);
  });

  test("finishing never rejects, and says what is lost", async () => {
    const log = new CallLog(deps, "run", write, UNOBSERVED_RUN, firstCalls(deps, "run"));
    log.close("reply");
    isBroken = true;
    const lines = new TestLog();
    await log.finish(lines);
    expect(lines.at("warn")).toEqual([expect.stringContaining("interrupted")]);
  });
});

describe("a metered model", () => {
  const request = { operation: "reply" as const, messages: [], tools: [], locale: "en" };

  async function outcomeOf(model: ScriptedModel, signal = new AbortController().signal, onText?: () => void) {
    const outcomes: unknown[] = [];
    const calls = {
      begin: async () => ({
        answered: () => undefined,
        end: (...outcome: unknown[]) => void outcomes.push(outcome),
      }),
    };
    await metered(model)
      .generate({ ...request, calls, onText }, signal)
      .catch(() => undefined);
    return outcomes;
  }

  test("an answer to the end", async () => {
    const usage = expect.objectContaining({ inputTokens: 10 });
    expect(await outcomeOf(new ScriptedModel(says("Hello")))).toEqual([["ok", usage]]);
  });

  test("a failure", async () => {
    expect(await outcomeOf(new ScriptedModel(new Error("Broken")))).toEqual([["failed", undefined]]);
  });

  test("an abort", async () => {
    const abort = new AbortController();
    const outcome = outcomeOf(new ScriptedModel(hangs), abort.signal);
    setImmediate(() => abort.abort());
    expect(await outcome).toEqual([["aborted", undefined]]);
  });

  test("an abort before it was sent", async () => {
    expect(await outcomeOf(new ScriptedModel(says("Hello")), AbortSignal.abort())).toEqual([
      ["unsent", undefined],
    ]);
  });

  test("a reader that has enough", async () => {
    const enough = () => {
      throw new Error("Enough");
    };
    const outcome = outcomeOf(new ScriptedModel(says("Hello")), undefined, enough);
    expect(await outcome).toEqual([["aborted", undefined]]);
  });
});
