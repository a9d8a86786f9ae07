import {
  type AssistantRun,
  type ProgressEvent,
  runAssistant,
  type StepEvent,
} from "../../src/core/assistant/loop.ts";
import { stepLimit } from "../../src/core/assistant/next-step.ts";
import type { Step, ToolCall } from "../../src/core/assistant/step.ts";
import type { Tool } from "../../src/core/assistant/tool.ts";
import { ToolRegistry } from "../../src/core/assistant/tool-registry.ts";
import type { LanguageModel } from "../../src/core/model/language-model.ts";
import { UNOBSERVED_RUN } from "../../src/core/turn-observer.ts";
import { FakeClock } from "./fake-clock.ts";
import { TestLog } from "./test-log.ts";
import { echoTool } from "./tools.ts";

export type AssistantEvent = StepEvent | ProgressEvent;

type Changes = Partial<Omit<AssistantRun, "tools">> & {
  model: LanguageModel;
  tools?: Tool[];
  /** Is given all events, and waited for with steps. */
  take?: (event: AssistantEvent) => void | Promise<void>;
};

/** A run of the loop over one user message, with an echo tool. */
export function assistantRun({ tools = [echoTool()], take, ...changes }: Changes): AssistantRun {
  return {
    tools: new ToolRegistry(tools),
    messages: [{ role: "user", content: "Hello" }],
    steps: [],
    stopWhen: [stepLimit(15)],
    user: { timezone: "Europe/Madrid", locale: "en-GB" },
    signal: new AbortController().signal,
    clock: new FakeClock(),
    log: new TestLog(),
    observer: UNOBSERVED_RUN,
    save: async (event) => take?.(event),
    onEvent: (event) => void take?.(event),
    ...changes,
  };
}

/** All events of a run; `seen` has those before a failure too. */
export async function collect(run: AssistantRun, seen: AssistantEvent[] = []): Promise<AssistantEvent[]> {
  const see = (event: AssistantEvent) => void seen.push(event);
  await runAssistant({ ...run, save: async (event) => see(event), onEvent: see });
  return seen;
}

export function stepsDone(events: readonly AssistantEvent[]): Step[] {
  return events.flatMap((event) => (event.type === "step_done" ? [event.step] : []));
}

/** The calls of the run's first step, finished. */
export async function firstCalls(run: AssistantRun): Promise<readonly ToolCall[]> {
  return stepsDone(await collect(run))[0]?.toolCalls ?? [];
}

/** A step that asked for tools, as it stands in the store. */
export function toolStep(...toolCalls: Partial<ToolCall>[]): Step {
  return {
    provider: "scripted",
    model: "script-1",
    content: "",
    toolCalls: toolCalls.map((call, index) => ({
      id: `call-${index}`,
      name: "echo",
      arguments: "{}",
      ...call,
    })),
    finishReason: "tool_calls",
    startedAt: 0,
    durationMs: 1,
  };
}
