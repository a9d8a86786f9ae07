import { describe, expect, test } from "@jest/globals";
import { runAssistant } from "../../../../src/core/assistant/loop.ts";
import { stepLimit } from "../../../../src/core/assistant/next-step.ts";
import {
  type AssistantEvent,
  assistantRun,
  collect,
  stepsDone,
  toolStep,
} from "../../../support/assistant-run.ts";
import { settle } from "../../../support/fake-clock.ts";
import { calls, ScriptedModel, says } from "../../../support/scripted-model.ts";
import { echoTool } from "../../../support/tools.ts";

const types = (events: readonly AssistantEvent[]) => events.map(({ type }) => type);

describe("a run that goes on from written steps", () => {
  const counted = (readOnly: boolean) => {
    const texts: unknown[] = [];
    const tool = echoTool({ name: readOnly ? "echo" : "send", readOnly }, async ({ text }) =>
      texts.push(text),
    );
    return { texts, tool };
  };

  test("repeats a reading call that is pending, and no finished one", async () => {
    const { texts, tool } = counted(true);
    const model = new ScriptedModel(says("ok"));
    const written = toolStep(
      { arguments: '{"text":"done"}', result: '"old"', durationMs: 4 },
      { arguments: '{"text":"pending"}' },
      { arguments: '{"text":"failed"}', error: "no", durationMs: 5 },
    );
    const events = await collect(assistantRun({ model, tools: [tool], steps: [written] }));
    expect(texts).toEqual(["pending"]);
    expect(types(events)).toEqual(["tool_started", "tool_finished", "step_done", "text_delta", "step_done"]);
    expect(events[2]).toMatchObject({
      index: 0,
      step: { toolCalls: [{ result: '"old"', durationMs: 4 }, { result: "1" }, { error: "no" }] },
    });
    expect(events[4]).toMatchObject({ index: 1 });
  });

  test("does not repeat a side effect: the model is told that its outcome is unknown", async () => {
    const { texts, tool } = counted(false);
    const model = new ScriptedModel(says("ok"));
    const events = await collect(assistantRun({ model, tools: [tool], steps: [toolStep({ name: "send" })] }));
    expect(texts).toEqual([]);
    expect(types(events)).not.toContain("tool_started");
    expect(types(events)).not.toContain("step_pending");
    expect(model.requests[0]?.messages.at(-1)).toMatchObject({
      role: "tool",
      isError: true,
      content: expect.stringContaining("Outcome unknown"),
    });
    expect(stepsDone(events)[0]?.toolCalls[0]).toMatchObject({ durationMs: 0 });
  });

  test("tells the two apart in one step, and an unknown tool is told as such", async () => {
    const [reading, sending] = [counted(true), counted(false)];
    const written = toolStep({ name: "send" }, { name: "echo" }, { name: "gone" });
    const model = new ScriptedModel(says("ok"));
    const run = assistantRun({ model, tools: [reading.tool, sending.tool], steps: [written] });
    const [step] = stepsDone(await collect(run));
    expect([reading.texts.length, sending.texts.length]).toEqual([1, 0]);
    expect(step?.toolCalls[0]?.error).toMatch(/^Outcome unknown/);
    expect(step?.toolCalls[1]?.result).toBe("1");
    expect(step?.toolCalls[2]?.error).toMatch(/^There is no tool named gone/);
  });

  test("counts the written steps as rounds", async () => {
    const model = new ScriptedModel(says("ok"));
    const steps = [toolStep({ result: "1" }), toolStep({ result: "2" })];
    await collect(assistantRun({ model, steps, stopWhen: [stepLimit(2)] }));
    expect(model.requests[0]?.tools).toEqual([]);
    expect(model.requests[0]?.messages).toHaveLength(5);
  });

  test("replies at once when the answer is written already", async () => {
    const model = new ScriptedModel();
    const step = { ...toolStep(), content: "Done before", finishReason: "stop" as const };
    const events: AssistantEvent[] = [];
    const run = assistantRun({ model, steps: [step], take: (event) => void events.push(event) });
    expect(await runAssistant(run)).toBe("Done before");
    expect(events).toEqual([]);
  });
});

describe("step_pending", () => {
  test("comes before a side effect is made, with the calls still pending", async () => {
    const order: string[] = [];
    const tool = echoTool({ readOnly: false }, async () => order.push("made"));
    const model = new ScriptedModel(calls({}), says("ok"));
    const take = async (event: AssistantEvent) => {
      order.push(event.type);
      if (event.type !== "step_pending") return;
      expect(event).toMatchObject({ index: 0, step: { toolCalls: [{ id: "call-0" }] } });
      expect(event.step.toolCalls[0]?.result).toBeUndefined();
      await settle();
      order.push("written");
    };
    await runAssistant(assistantRun({ model, tools: [tool], take }));
    expect(order.slice(0, 5)).toEqual(["step_pending", "written", "tool_started", "made", "tool_finished"]);
  });

  test("is left out when all calls only read, or name no tool", async () => {
    const model = new ScriptedModel(calls({}, { name: "nope" }), says("ok"));
    expect(types(await collect(assistantRun({ model })))).not.toContain("step_pending");
  });
});
