import { describe, expect, test } from "@jest/globals";
import { runAssistant } from "../../../../src/core/assistant/loop.ts";
import { stepLimit } from "../../../../src/core/assistant/next-step.ts";
import { AppError } from "../../../../src/core/errors.ts";
import { takes } from "../../../support/answers.ts";
import {
  type AssistantEvent,
  assistantRun,
  collect,
  firstCalls,
  stepsDone,
} from "../../../support/assistant-run.ts";
import { FakeClock, settle } from "../../../support/fake-clock.ts";
import type { ModelEvent } from "../../../support/model-events.ts";
import { calls, hangs, ignoresAborts, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { echoTool } from "../../../support/tools.ts";

const types = (events: readonly AssistantEvent[]) => events.map(({ type }) => type);

describe("an answer in words", () => {
  test("is streamed, written down and replied", async () => {
    const clock = new FakeClock();
    const model = new ScriptedModel(async function* (_, signal) {
      await clock.sleep(30, signal);
      yield { type: "text", text: "Hello, " };
      await clock.sleep(20, signal);
      yield { type: "text", text: "world" };
      yield { type: "finish", reason: "stop" };
    });
    const events: AssistantEvent[] = [];
    const replying = runAssistant(assistantRun({ model, clock, take: (event) => void events.push(event) }));
    const startedAt = clock.now();
    await clock.advance(50);
    const step = {
      provider: "scripted",
      model: "script-1",
      content: "Hello, world",
      toolCalls: [],
      finishReason: "stop",
      usage: undefined,
      startedAt,
      durationMs: 50,
      firstTokenMs: 30,
    };
    expect(await replying).toBe("Hello, world");
    expect(events).toEqual([
      { type: "text_delta", text: "Hello, " },
      { type: "text_delta", text: "world" },
      { type: "step_done", index: 0, step, isLast: true },
    ]);
  });

  test("is asked for with the messages, the tools and the user's locale", async () => {
    const model = new ScriptedModel(says("Hi"));
    await collect(assistantRun({ model }));
    expect(model.requests).toMatchObject([
      { operation: "reply", messages: [{ role: "user", content: "Hello" }], locale: "en-GB" },
    ]);
    expect(model.requests[0]?.tools.map(({ name }) => name)).toEqual(["echo"]);
  });

  test("keeps the usage that the model reports", async () => {
    const [step] = stepsDone(await collect(assistantRun({ model: new ScriptedModel(says("Hi")) })));
    expect(step?.usage).toMatchObject({ inputTokens: 10, outputTokens: 5 });
  });
});

describe("tools", () => {
  test("a call is made and its result shown to the model, which then answers", async () => {
    const model = new ScriptedModel(calls({ arguments: '{"text":"ping"}' }), says("pong"));
    const events = await collect(assistantRun({ model }));
    expect(types(events)).toEqual(["tool_started", "tool_finished", "step_done", "text_delta", "step_done"]);
    expect(model.requests[1]?.messages).toEqual([
      { role: "user", content: "Hello" },
      {
        role: "assistant",
        content: "",
        toolCalls: [{ id: "call-0", name: "echo", arguments: '{"text":"ping"}' }],
      },
      { role: "tool", toolCallId: "call-0", toolName: "echo", content: '{"text":"ping"}', isError: false },
    ]);
    expect(model.left).toBe(0);
  });

  test("calls of one step run at the same time, and their results keep the order of the calls", async () => {
    const entered: string[] = [];
    const release = new Map<string, () => void>();
    const tool = echoTool({}, async ({ text = "" }) => {
      entered.push(text);
      await new Promise<void>((resolve) => release.set(text, resolve));
      return text;
    });
    const model = new ScriptedModel(
      calls({ arguments: '{"text":"a"}' }, { arguments: '{"text":"b"}' }, { arguments: '{"text":"c"}' }),
      says("done"),
    );
    const seen: AssistantEvent[] = [];
    const collecting = collect(assistantRun({ model, tools: [tool] }), seen);
    await settle();
    expect(entered).toEqual(["a", "b", "c"]);
    for (const text of ["c", "a", "b"]) {
      release.get(text)?.();
      await settle();
    }
    await collecting;
    const finished = seen.flatMap((event) => (event.type === "tool_finished" ? [event.call.result] : []));
    expect(finished).toEqual(['"c"', '"a"', '"b"']);
    expect(stepsDone(seen)[0]?.toolCalls.map(({ result }) => result)).toEqual(['"a"', '"b"', '"c"']);
  });

  test("the model is asked again only once the slowest of them has finished", async () => {
    const clock = new FakeClock();
    const tool = echoTool({}, async ({ count = 0 }, { signal }) => clock.sleep(count * 1000, signal));
    const model = new ScriptedModel(
      calls({ arguments: '{"count":1}' }, { arguments: '{"count":3}' }),
      says("ok"),
    );
    const collecting = collect(assistantRun({ model, tools: [tool], clock }));
    await clock.advance(2_999);
    expect(model.requests).toHaveLength(1);
    await clock.advance(1);
    expect(model.requests).toHaveLength(2);
    expect(stepsDone(await collecting)[0]?.toolCalls.map(({ durationMs }) => durationMs)).toEqual([
      1000, 3000,
    ]);
  });

  test("a failed call is shown to the model as an error, beside the others' results", async () => {
    const model = new ScriptedModel(calls({ name: "nope" }, {}), says("ok"));
    await collect(assistantRun({ model }));
    expect(model.requests[1]?.messages.slice(2)).toEqual([
      expect.objectContaining({ role: "tool", toolCallId: "call-0", toolName: "nope", isError: true }),
      expect.objectContaining({ role: "tool", toolCallId: "call-1", content: "{}", isError: false }),
    ]);
  });

  test("calls past the thirty-second are refused, the others made", async () => {
    const model = new ScriptedModel(calls(...Array.from({ length: 34 }, () => ({}))), says("ok"));
    const toolCalls = await firstCalls(assistantRun({ model }));
    expect(toolCalls).toHaveLength(34);
    expect(toolCalls.slice(0, 32).every(({ result }) => result === "{}")).toBe(true);
    expect(toolCalls.slice(32).map(({ error }) => error)).toEqual(
      Array(2).fill("At most 32 tools can be called at once."),
    );
  });

  test.each([
    { given: ["", "", ""] },
    { given: ["a", "a", "a"] },
    { given: ["call-1", ""] },
    { given: ["a-2", "a", "a"] },
    { given: ["", "call-0", ""] },
  ])("ids $given become unique, and each result keeps to its call", async ({ given }) => {
    const made = given.map((id, index) => ({ id, arguments: JSON.stringify({ count: index + 1 }) }));
    const model = new ScriptedModel(calls(...made), says("ok"));
    const toolCalls = await firstCalls(assistantRun({ model }));
    expect(toolCalls.map(({ result }) => result)).toEqual(made.map((call) => call.arguments));
    expect(new Set(toolCalls.map(({ id }) => id)).size).toBe(given.length);
    expect(toolCalls.every(({ id }) => id !== "")).toBe(true);
  });

  test("ids that are unique already are kept", async () => {
    const model = new ScriptedModel(calls({ id: "x" }, { id: "y" }), says("ok"));
    expect((await firstCalls(assistantRun({ model }))).map(({ id }) => id)).toEqual(["x", "y"]);
  });

  test("words beside the calls are kept for the model, and are not the reply", async () => {
    const model = new ScriptedModel([{ type: "text", text: "Let me look. " }, ...calls({})], says("Found."));
    expect(await runAssistant(assistantRun({ model }))).toBe("Found.");
    expect(model.requests[1]?.messages[1]).toMatchObject({ role: "assistant", content: "Let me look. " });
  });
});

describe("finish reasons that contradict the answer", () => {
  test("calls with `stop` are made", async () => {
    const answer = calls({}).map((event) =>
      event.type === "finish" ? { ...event, reason: "stop" as const } : event,
    );
    const events = await collect(assistantRun({ model: new ScriptedModel(answer, says("ok")) }));
    expect(stepsDone(events)[0]).toMatchObject({ finishReason: "tool_calls", toolCalls: [{ result: "{}" }] });
  });

  test("`tool_calls` without calls is an answer", async () => {
    const run = assistantRun({ model: new ScriptedModel(says("Hi", "tool_calls")) });
    expect(await runAssistant(run)).toBe("Hi");
  });

  test("`tool_calls` without calls and words is an empty answer", async () => {
    const run = assistantRun({ model: new ScriptedModel(calls()) });
    await expect(collect(run)).rejects.toMatchObject({ meta: { reason: "model_empty" } });
  });

  test.each(["length", "content_filter"] as const)("calls cut off by `%s` are not made", async (reason) => {
    const made: unknown[] = [];
    const tool = echoTool({}, async (args) => made.push(args));
    const answer = calls({}).map((event) => (event.type === "finish" ? { ...event, reason } : event));
    const run = assistantRun({ model: new ScriptedModel(answer), tools: [tool] });
    await expect(collect(run)).rejects.toMatchObject({ code: "failed_precondition" });
    expect(made).toEqual([]);
  });
});

describe("rounds", () => {
  test("when they run out the model is asked once more, without tools", async () => {
    const model = new ScriptedModel(
      ...Array.from({ length: 15 }, () => calls({})),
      says("That is what I know."),
    );
    const events = await collect(assistantRun({ model }));
    expect(model.requests.map(({ tools }) => tools.length)).toEqual([...Array(15).fill(1), 0]);
    expect(stepsDone(events)).toHaveLength(16);
    expect(stepsDone(events)[14]?.toolCalls).toMatchObject([{ result: "{}" }]);
    expect(stepsDone(events)[15]?.content).toBe("That is what I know.");
  });

  test("a model that calls tools even then fails the run, and they are not made", async () => {
    const made: unknown[] = [];
    const tool = echoTool({}, async (args) => made.push(args));
    const model = new ScriptedModel(calls({}), calls({}), calls({}));
    const seen: AssistantEvent[] = [];
    const run = assistantRun({ model, tools: [tool], stopWhen: [stepLimit(2)] });
    await expect(collect(run, seen)).rejects.toMatchObject({
      code: "failed_precondition",
      retryable: false,
      meta: { reason: "model_rounds" },
    });
    expect(made).toHaveLength(2);
    expect(stepsDone(seen)).toHaveLength(3);
  });

  test("any of several conditions ends them", async () => {
    const model = new ScriptedModel(calls({}), says("ok"));
    await collect(assistantRun({ model, stopWhen: [stepLimit(9), (steps) => steps.length >= 1] }));
    expect(model.requests.map(({ tools }) => tools.length)).toEqual([1, 0]);
  });

  test("with a limit of none the first call is already without tools", async () => {
    const model = new ScriptedModel(says("ok"));
    await collect(assistantRun({ model, stopWhen: [stepLimit(0)] }));
    expect(model.requests[0]?.tools).toEqual([]);
  });
});

describe("answers that can't be used", () => {
  const cases: [string, ModelEvent[], string][] = [
    ["nothing", [{ type: "finish", reason: "stop" }], "model_empty"],
    ["blanks", says(" \n\t "), "model_empty"],
    ["an answer cut off", says("Half of", "length"), "model_length"],
    ["an answer withheld", says("", "content_filter"), "model_filtered"],
    ["an answer without an end", says("x".repeat(1_000_001)), "model_length"],
  ];
  test.each(cases)("%s", async (_, answer, reason) => {
    const run = assistantRun({ model: new ScriptedModel(answer) });
    await expect(runAssistant(run)).rejects.toMatchObject({ name: "AppError", meta: { reason } });
  });

  test("an answer of just the longest length is taken", async () => {
    const text = "x".repeat(1_000_000);
    expect(await runAssistant(assistantRun({ model: new ScriptedModel(says(text)) }))).toBe(text);
  });

  test("an endless answer is let go of at the model", async () => {
    let closed = false;
    const model = new ScriptedModel(async function* () {
      try {
        for (;;) yield { type: "text", text: "x".repeat(400_000) };
      } finally {
        closed = true;
      }
    });
    await expect(collect(assistantRun({ model }))).rejects.toMatchObject({
      meta: { reason: "model_length" },
    });
    expect(closed).toBe(true);
  });

  test("the model's own error comes through as it is", async () => {
    const error = new Error("boom");
    await expect(collect(assistantRun({ model: new ScriptedModel(error) }))).rejects.toBe(error);
  });
});

describe("an abort", () => {
  test("ends a run whose model does not listen to it", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const run = assistantRun({ model: new ScriptedModel(ignoresAborts), signal: abort.signal });
    const failed = expect(collect(run)).rejects.toBe(reason);
    await settle();
    abort.abort(reason);
    await failed;
  });

  const reason = new Error("the turn is over");

  test("before the first event asks nobody", async () => {
    const model = new ScriptedModel(says("Hi"));
    await expect(collect(assistantRun({ model, signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    expect(model.requests).toHaveLength(0);
  });

  test("in mid-stream ends the run with the signal's reason", async () => {
    const abort = new AbortController();
    const model = new ScriptedModel(async function* (request, signal) {
      yield { type: "text", text: "Half of" };
      yield* hangs(request, signal);
    });
    const seen: AssistantEvent[] = [];
    const failed = expect(collect(assistantRun({ model, signal: abort.signal }), seen)).rejects.toBe(reason);
    await settle();
    abort.abort(reason);
    await failed;
    expect(types(seen)).toEqual(["text_delta"]);
  });

  test("in mid-tool ends the run at once, and the tools' signals with it", async () => {
    const abort = new AbortController();
    const signals: AbortSignal[] = [];
    const tool = echoTool({}, (_, { signal }) => {
      signals.push(signal);
      return new Promise(() => undefined);
    });
    const model = new ScriptedModel(calls({}, {}));
    const seen: AssistantEvent[] = [];
    const run = assistantRun({ model, tools: [tool], signal: abort.signal });
    const failed = expect(collect(run, seen)).rejects.toBe(reason);
    await settle();
    abort.abort(reason);
    await failed;
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(types(seen)).toEqual(["tool_started", "tool_started"]);
  });

  test("while the consumer writes a pending step down keeps the side effect from being made", async () => {
    const abort = new AbortController();
    let made = 0;
    const tool = echoTool({ readOnly: false }, async () => ++made);
    const take = async ({ type }: AssistantEvent) => {
      await settle();
      if (type === "step_pending") abort.abort(reason);
    };
    const model = new ScriptedModel(calls({}));
    const run = assistantRun({ model, tools: [tool], signal: abort.signal, take });
    await expect(runAssistant(run)).rejects.toBe(reason);
    expect(made).toBe(0);
  });

  test("between two steps keeps the model from being asked again", async () => {
    const abort = new AbortController();
    const model = new ScriptedModel(calls({}), says("too late"));
    const take = async ({ type }: AssistantEvent) => {
      await settle();
      if (type === "step_done") abort.abort(reason);
    };
    await expect(runAssistant(assistantRun({ model, signal: abort.signal, take }))).rejects.toBe(reason);
    expect(model.left).toBe(1);
  });

  test("keeps what a model says that does not listen to it from being passed on", async () => {
    const abort = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const model = new ScriptedModel(async function* () {
      await promise;
      yield { type: "text", text: "too late" };
    });
    const seen: AssistantEvent[] = [];
    const failed = expect(collect(assistantRun({ model, signal: abort.signal }), seen)).rejects.toBe(reason);
    await settle();
    abort.abort(reason);
    await failed;
    resolve();
    await settle();
    expect(seen).toEqual([]);
  });
});

describe("what the run's events are given to", () => {
  const error = new AppError("unavailable", "The disk is full.");

  test.each(["step_pending", "step_done"] as const)("ends the run when it rejects a %s", async (type) => {
    let made = 0;
    const tool = echoTool({ readOnly: false }, async () => ++made);
    const model = new ScriptedModel(calls({}), says("too late"));
    const take = async (event: AssistantEvent) => {
      if (event.type === type) throw error;
    };
    await expect(runAssistant(assistantRun({ model, tools: [tool], take }))).rejects.toBe(error);
    expect(made).toBe(type === "step_pending" ? 0 : 1);
    expect(model.left).toBe(1);
  });

  test("ends the run when it refuses a text, and lets go of the model's stream", async () => {
    let closed = false;
    const model = new ScriptedModel(async function* () {
      try {
        yield { type: "text", text: "one" };
        yield { type: "text", text: "two" };
      } finally {
        closed = true;
      }
    });
    const seen: AssistantEvent[] = [];
    const take = (event: AssistantEvent) => {
      seen.push(event);
      throw error;
    };
    await expect(runAssistant(assistantRun({ model, take }))).rejects.toBe(error);
    expect(closed).toBe(true);
    expect(seen).toEqual([{ type: "text_delta", text: "one" }]);
  });
});

test("a slow model's time is the step's, a slow tool's the call's", async () => {
  const clock = new FakeClock();
  const tool = echoTool({}, (_, { signal }) => clock.sleep(400, signal));
  const model = new ScriptedModel(takes(clock, 250, calls({})), says("ok"));
  const collecting = firstCallsAndStep(model, clock, tool);
  await clock.advance(1_000);
  expect(await collecting).toMatchObject({ durationMs: 250, toolCalls: [{ durationMs: 400 }] });
});

async function firstCallsAndStep(model: ScriptedModel, clock: FakeClock, tool: ReturnType<typeof echoTool>) {
  return stepsDone(await collect(assistantRun({ model, clock, tools: [tool] })))[0];
}
