import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { executeToolCall } from "../../../../src/core/assistant/execute-tool-call.ts";
import { defineTool, type Tool, type ToolContext, ToolError } from "../../../../src/core/assistant/tool.ts";
import { ToolRegistry } from "../../../../src/core/assistant/tool-registry.ts";
import { UNOBSERVED_RUN } from "../../../../src/core/turn-observer.ts";
import { FakeClock, settle } from "../../../support/fake-clock.ts";
import { TestLog } from "../../../support/test-log.ts";
import { type EchoArguments, echoTool } from "../../../support/tools.ts";

function environment(...tools: Tool[]) {
  const abort = new AbortController();
  const clock = new FakeClock();
  const log = new TestLog();
  const user = { timezone: "Asia/Tokyo", locale: "ja" };
  const signal = abort.signal;
  return { tools: new ToolRegistry(tools), user, signal, clock, log, observer: UNOBSERVED_RUN, abort };
}

function call(args = "{}", name = "echo") {
  return { id: "c", name, arguments: args };
}

const failing = (error: unknown) => echoTool({}, () => Promise.reject(error));

describe("a call that works", () => {
  test("gives the tool's value as JSON, and keeps the call as it was made", async () => {
    const made = call('{ "text": "naïve 🌦️" }');
    expect(await executeToolCall(made, environment(echoTool()))).toEqual({
      ...made,
      result: '{"text":"naïve 🌦️"}',
      durationMs: 0,
    });
  });

  test("shows the tool the user's place, the time and a live signal", async () => {
    const seen: [EchoArguments, ToolContext][] = [];
    const env = environment(echoTool({}, async (args, context) => seen.push([args, context])));
    await executeToolCall(call('{"count":2}'), env);
    expect(seen).toEqual([
      [
        { count: 2 },
        { timezone: "Asia/Tokyo", locale: "ja", now: env.clock.now(), signal: expect.anything() },
      ],
    ]);
    expect(seen[0]?.[1].signal.aborted).toBe(false);
  });

  test("a tool without a value gives null", async () => {
    const env = environment(echoTool({}, async () => undefined));
    expect(await executeToolCall(call(), env)).toMatchObject({ result: "null" });
  });

  test.each(["", "  \n"])("%j as arguments is an empty object", async (text) => {
    expect(await executeToolCall(call(text), environment(echoTool()))).toMatchObject({ result: "{}" });
  });

  test("leaves no timer behind", async () => {
    const env = environment(echoTool());
    await executeToolCall(call(), env);
    await settle();
    expect(env.clock.sleeping).toBe(0);
  });
});

describe("what the model is told when", () => {
  test("there is no such tool", async () => {
    const env = environment(echoTool(), echoTool({ name: "other" }));
    const { error, result } = await executeToolCall(call("{}", "constructor"), env);
    expect(error).toBe("There is no tool named constructor. The tools are: echo, other.");
    expect(result).toBeUndefined();
  });

  test("the arguments are no JSON", async () => {
    const { error } = await executeToolCall(call('{"text": "cut o'), environment(echoTool()));
    expect(error).toBe("The arguments of echo are not valid JSON. Send one JSON object.");
  });

  test.each([
    ['{"count":10}', ["count", "9"]],
    ['{"count":"two"}', ["count", "number"]],
    ['{"texts":"x"}', ["texts"]],
    ["[]", ["object", "array"]],
    ["null", ["object", "null"]],
    ['"{}"', ["object", "string"]],
  ])("the arguments are %s", async (text, words) => {
    const executed: unknown[] = [];
    const env = environment(echoTool({}, async (args) => executed.push(args)));
    const { error } = await executeToolCall(call(text), env);
    expect(error).toMatch(/^The arguments of echo don't fit:\n/);
    for (const word of words) expect(error).toContain(word);
    expect(executed).toEqual([]);
    expect(env.log.lines).toEqual([]);
  });

  test("the tool has something to say", async () => {
    const env = environment(failing(new ToolError("No place is named Atlantis.")));
    expect(await executeToolCall(call(), env)).toMatchObject({ error: "No place is named Atlantis." });
    expect(env.log.lines).toEqual([]);
  });

  test.each([
    ["an error of its own", failing(new TypeError("secret is undefined"))],
    ["no error at all", failing("secret")],
    [
      "an error before it waits for anything",
      echoTool({}, () => {
        throw new Error("secret");
      }),
    ],
    [
      "a value that is no JSON",
      echoTool({}, async () => {
        const circle: { self?: unknown } = {};
        circle.self = circle;
        return circle;
      }),
    ],
    ["a function", echoTool({}, async () => () => "secret")],
    [
      "a schema that throws",
      defineTool({
        ...echoTool(),
        schema: z.object({}).transform(() => {
          throw new RangeError("secret");
        }),
      }),
    ],
  ])("the tool has a bug: %s", async (_, tool) => {
    const env = environment(tool);
    const { error } = await executeToolCall(call(), env);
    expect(error).toBe("echo failed because of a fault in the server; it can't be used right now.");
    expect(env.log.at("error")).toEqual(["A tool failed unexpectedly"]);
    expect(env.log.lines[0]?.fields).toMatchObject({ tool: "echo" });
  });

  test("the result is too large", async () => {
    const env = environment(echoTool({}, async ({ count = 0 }) => "x".repeat(64_000 - 2 + count)));
    expect((await executeToolCall(call(), env)).result).toHaveLength(64_000);
    expect(await executeToolCall(call('{"count":1}'), env)).toMatchObject({
      error: "The result has 64001 characters, too many to use. Ask for less.",
    });
  });

  test("the error is too long", async () => {
    const env = environment(
      echoTool({}, async () => {
        throw new ToolError("x".repeat(10_000));
      }),
    );
    expect((await executeToolCall(call(), env)).error).toHaveLength(4_000);
  });

  test("the tool heeds its time-out", async () => {
    const reasons: unknown[] = [];
    const tool = echoTool({ timeoutMs: 2_500 }, (_, { signal }) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reasons.push(signal.reason);
          reject(new Error("socket closed"));
        });
      });
    });
    const env = environment(tool);
    const executing = executeToolCall(call(), env);
    await env.clock.advance(2_499);
    expect(reasons).toEqual([]);
    await env.clock.advance(1);
    expect(await executing).toMatchObject({
      error: "echo did not answer within 2.5 seconds.",
      durationMs: 2_500,
    });
    expect(reasons).toEqual([expect.any(ToolError)]);
    expect(env.log.lines).toEqual([]);
  });

  test("the tool ignores its signal, and even fails later", async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    const env = environment(echoTool({ timeoutMs: 1_000 }, () => promise));
    const executing = executeToolCall(call(), env);
    await env.clock.advance(1_000);
    expect(await executing).toMatchObject({ error: "echo did not answer within 1 seconds." });
    reject(new Error("late"));
    await settle();
  });

  test("each call has a time-out of its own", async () => {
    const tool = echoTool({ timeoutMs: 1_000 }, ({ count = 0 }, { signal }) => {
      return env.clock.sleep(count * 300, signal).then(() => count);
    });
    const env = environment(tool);
    const both = Promise.all([
      executeToolCall(call('{"count":5}'), env),
      env.clock.sleep(200).then(() => executeToolCall(call('{"count":3}'), env)),
    ]);
    await env.clock.advance(2_000);
    expect(await both).toMatchObject([{ error: expect.stringContaining("did not answer") }, { result: "3" }]);
  });
});

describe("the turn's own end", () => {
  const reason = new Error("the turn is over");

  test("rejects instead of becoming the call's error, whatever the tool makes of it", async () => {
    const tool = echoTool({}, (_, { signal }) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new ToolError("aborted")));
      });
    });
    const env = environment(tool);
    const failed = expect(executeToolCall(call(), env)).rejects.toBe(reason);
    env.abort.abort(reason);
    await failed;
    await settle();
    expect(env.clock.sleeping).toBe(0);
  });

  test("when it has come already, the tool is not called", async () => {
    let called = 0;
    const env = environment(
      echoTool({}, async () => {
        called++;
        throw new Error("nobody waits for this");
      }),
    );
    env.abort.abort(reason);
    await expect(executeToolCall(call(), env)).rejects.toBe(reason);
    await settle();
    expect(called).toBe(0);
  });
});
