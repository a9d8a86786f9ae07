import { beforeEach, describe, expect, test } from "@jest/globals";
import { type Tool, type ToolContext, ToolError } from "../../../src/core/assistant/tool.ts";
import { type CachedToolOptions, cached } from "../../../src/resilience/cached-tool.ts";
import { MemoryCache } from "../../../src/stores/memory/cache.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { type EchoArguments, echoTool } from "../../support/tools.ts";

const MINUTE = 60_000;

describe("cached", () => {
  let clock: FakeClock;
  let counts: string[];
  let runs: { args: EchoArguments; context: ToolContext }[];
  let work: () => Promise<unknown>;
  let tool: Tool;
  let options: CachedToolOptions;

  beforeEach(() => {
    clock = new FakeClock();
    counts = [];
    runs = [];
    work = async () => ({ run: runs.length });
    const count = (what: string) => (name: string) => void counts.push(`${what} ${name}`);
    options = {
      cache: new MemoryCache(100_000, clock),
      clock,
      freshMs: 10 * MINUTE,
      staleMs: 60 * MINUTE,
      counters: { hit: count("hit"), miss: count("miss"), stale: count("stale") },
    };
    tool = cached(newTool("echo"), options);
  });

  function newTool(name: string): Tool {
    return echoTool({ name }, (args, context) => {
      runs.push({ args, context });
      return work();
    });
  }

  function call(args: EchoArguments = {}, context: Partial<ToolContext> = {}): Promise<unknown> {
    return tool.execute(args, {
      timezone: "Europe/Madrid",
      locale: "en-GB",
      signal: new AbortController().signal,
      now: clock.now(),
      ...context,
    });
  }

  test("a result is used while it is fresh, and made anew after that", async () => {
    expect(await call()).toEqual({ run: 1 });
    await clock.advance(10 * MINUTE - 1);
    expect(await call()).toEqual({ run: 1 });
    await clock.advance(1);
    expect(await call()).toEqual({ run: 2 });
    expect(await call()).toEqual({ run: 2 });
    expect(counts).toEqual(["miss echo", "hit echo", "miss echo", "hit echo"]);
  });

  test("the order of arguments does not matter, their values do", async () => {
    await call({ text: "a", count: 1 });
    await call({ count: 1, text: "a" });
    expect(runs).toHaveLength(1);
    await call({ text: "a", count: 2 });
    await call({ text: "b", count: 1 });
    await call({ text: "a" });
    expect(runs).toHaveLength(4);
  });

  test("time zone, locale and the user's date tell calls apart, and so does the tool", async () => {
    await call();
    await call({}, { locale: "en-US" });
    await call({}, { timezone: "Europe/Lisbon" });
    // 09:00 UTC, and 23:30 UTC: tomorrow in Madrid.
    await call({}, { now: clock.now() + 14.5 * 60 * MINUTE });
    tool = cached(newTool("other"), options);
    await call();
    expect(runs).toHaveLength(5);
  });

  test("calls at the same time share one run, of the arguments as they came", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    work = () => promise;
    const calls = Array.from({ length: 50 }, () => call({ text: "a" }));
    await settle();
    resolve({ shared: true });
    expect(await Promise.all(calls)).toEqual(calls.map(() => ({ shared: true })));
    expect(runs.map(({ args }) => args)).toEqual([{ text: "a" }]);
    expect(counts).toEqual(["miss echo"]);
  });

  test("an aborted call leaves the others theirs; the run ends with the last", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    work = () => promise;
    const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
    const calls = [one, two, three].map(({ signal }) => call({}, { signal }));
    const outcomes = Promise.allSettled(calls);
    await settle();
    one.abort(new Error("gone"));
    await expect(calls[0]).rejects.toThrow("gone");
    expect(runs[0]?.context.signal.aborted).toBe(false);
    resolve("done");
    expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  });

  test("once all calls are aborted the run is too, and the next call makes another", async () => {
    work = () => new Promise(() => undefined);
    const [one, two] = [new AbortController(), new AbortController()];
    const outcomes = Promise.allSettled([one, two].map(({ signal }) => call({}, { signal })));
    await settle();
    one.abort();
    two.abort();
    await outcomes;
    expect(runs[0]?.context.signal.aborted).toBe(true);
    work = async () => "anew";
    expect(await call()).toBe("anew");
    expect(runs).toHaveLength(2);
  });

  test("an aborted call does not begin", async () => {
    await expect(call({}, { signal: AbortSignal.abort(new Error("too late")) })).rejects.toThrow("too late");
    expect(runs).toEqual([]);
  });

  test("when the tool fails, an old result is used and marked, until it is too old", async () => {
    const madeAt = new Date(clock.now()).toISOString();
    await call();
    work = async () => {
      throw new ToolError("The source is down.");
    };
    await clock.advance(70 * MINUTE - 1);
    expect(await call()).toEqual({ run: 1, stale: true, as_of: madeAt });
    await clock.advance(1);
    await expect(call()).rejects.toThrow("The source is down.");
    expect(counts).toEqual(["miss echo", "stale echo", "miss echo"]);
  });

  test("an old result that is no object is marked beside it", async () => {
    work = async () => ["a"];
    await call();
    work = () => Promise.reject(new Error("a bug"));
    await clock.advance(10 * MINUTE);
    expect(await call()).toMatchObject({ result: ["a"], stale: true });
  });

  test("when the tool hangs, the old result comes before the call's time is up", async () => {
    await call();
    await clock.advance(10 * MINUTE);
    work = () => new Promise(() => undefined);
    const answer = call();
    await clock.advance(tool.timeoutMs - 1);
    expect(await answer).toMatchObject({ run: 1, stale: true });
    expect(runs[1]?.context.signal.aborted).toBe(true);
  });

  test("a tool that hangs without an old result fails with words for the model", async () => {
    work = () => new Promise(() => undefined);
    const answer = call();
    const failure = expect(answer).rejects.toThrow(new ToolError("echo did not answer within 9 seconds."));
    await clock.advance(9_000);
    await failure;
  });

  test("failures are not remembered", async () => {
    work = () => Promise.reject(new ToolError("No."));
    await expect(call()).rejects.toThrow("No.");
    work = async () => "yes";
    expect(await call()).toBe("yes");
  });

  test("a cache with nothing in it, ever, takes nothing away", async () => {
    options = { ...options, cache: { get: async () => undefined, set: async () => undefined } };
    tool = cached(newTool("echo"), options);
    await call();
    expect(await call()).toEqual({ run: 2 });
    expect(clock.sleeping).toBe(0);
  });

  test("a tool with side effects is refused", () => {
    expect(() => cached(echoTool({ readOnly: false }), options)).toThrow("echo has side effects");
  });
});
