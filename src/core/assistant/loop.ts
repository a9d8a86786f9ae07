import type { Clock } from "../clock.ts";
import type { UserLocale } from "../context.ts";
import { orAborted } from "../deadline.ts";
import type { Logger } from "../logger.ts";
import type { CallRecorder } from "../model/call-recorder.ts";
import type {
  FinishReason,
  LanguageModel,
  ModelAnswer,
  ModelMessage,
  ModelRequest,
  ModelToolCall,
} from "../model/language-model.ts";
import { modelError } from "../model/model-errors.ts";
import type { RunObserver } from "../turn-observer.ts";
import { executeToolCall } from "./execute-tool-call.ts";
import { nextStep, type StopCondition } from "./next-step.ts";
import { isPending, type Step, stepMessages, type ToolCall } from "./step.ts";
import { TextRelay } from "./text-relay.ts";
import type { ToolRegistry } from "./tool-registry.ts";

/** A longer answer, in characters, is treated as cut off: no caller can want it. */
const MAX_ANSWER_CHARS = 1_000_000;
/** Of one step; the calls past it are answered with an error. */
const MAX_PARALLEL_CALLS = 32;

export interface AssistantRun {
  readonly model: LanguageModel;
  readonly tools: ToolRegistry;
  /** System prompt, history and the user's message. */
  readonly messages: readonly ModelMessage[];
  /** Steps already made, when a turn is taken up again after a crash. */
  readonly steps: readonly Step[];
  readonly stopWhen: readonly StopCondition[];
  readonly user: UserLocale;
  /** Ends the run; the generator throws the signal's reason. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: Pick<RunObserver, "toolCall">;
  /** Takes down the model calls. */
  readonly calls?: CallRecorder;
}

export type AssistantEvent =
  /** What follows, up to its `step_done`, belongs to the step at `index`. */
  | { readonly type: "step_started"; readonly index: number }
  | { readonly type: "text_delta"; readonly text: string }
  | { readonly type: "tool_started"; readonly call: ToolCall }
  | { readonly type: "tool_finished"; readonly call: ToolCall }
  /**
   * The step at `index` has calls that change something in the world, and they are about to be
   * made: when it is written now, a crash in between can be told from one before.
   */
  | { readonly type: "step_pending"; readonly index: number; readonly step: Step }
  /**
   * The step at `index` is whole: its model call and all its tool calls are finished.
   * `isLast`: no other model call follows.
   */
  | { readonly type: "step_done"; readonly index: number; readonly step: Step; readonly isLast: boolean }
  /** The last event. */
  | { readonly type: "reply"; readonly content: string };

/**
 * The assistant's loop: asks the model, runs the tools that it calls, and asks again with their
 * results until it answers in words. The consumer writes each step down before it pulls the next
 * event, so that what the generator did last is always known. Whoever stops pulling while the model
 * answers aborts the run's signal too.
 *
 * @throws AppError when the model gives no usable answer (see model-errors.ts).
 */
export async function* runAssistant(run: AssistantRun): AsyncGenerator<AssistantEvent, void, void> {
  const steps = [...run.steps];
  for (;;) {
    run.signal.throwIfAborted();
    const next = nextStep(steps, run.stopWhen);
    switch (next.type) {
      case "call_model": {
        yield { type: "step_started", index: steps.length };
        const step = yield* callModel(run, steps, next.offerTools);
        const index = steps.push(step) - 1;
        const { type } = nextStep(steps, run.stopWhen);
        if (type === "run_tools") {
          if (step.toolCalls.some((call) => !isRepeatable(run, call))) {
            yield { type: "step_pending", index, step };
          }
          steps[index] = yield* runTools(run, step);
        }
        yield stepDone(run, steps);
        break;
      }
      case "run_tools": {
        yield { type: "step_started", index: steps.length - 1 };
        steps[steps.length - 1] = yield* runTools(run, withUnknownOutcomes(run, next.step));
        yield stepDone(run, steps);
        break;
      }
      case "reply":
        yield { type: "reply", content: next.content };
        return;
      case "fail":
        throw next.error;
    }
  }
}

function stepDone(run: AssistantRun, steps: readonly Step[]): AssistantEvent {
  const index = steps.length - 1;
  const isLast = nextStep(steps, run.stopWhen).type !== "call_model";
  return { type: "step_done", index, step: steps[index] as Step, isLast };
}

async function* callModel(
  run: AssistantRun,
  steps: readonly Step[],
  offerTools: boolean,
): AsyncGenerator<AssistantEvent, Step, void> {
  const { model, clock, signal } = run;
  const startedAt = clock.now();
  let firstTokenMs: number | undefined;
  const texts = new TextRelay(MAX_ANSWER_CHARS, () => modelError("model_length"));
  const request: ModelRequest = {
    operation: "reply",
    messages: [...run.messages, ...steps.flatMap(stepMessages)],
    tools: offerTools ? run.tools.definitions : [],
    locale: run.user.locale,
    calls: run.calls,
    onText(part) {
      firstTokenMs ??= clock.now() - startedAt;
      texts.write(part);
    },
  };
  const asked = orAborted(model.generate(request, signal), signal).finally(() => texts.end());
  // Where nobody pulls any more.
  asked.catch(() => undefined);
  for (let text = await texts.read(); text !== undefined; text = await texts.read()) {
    yield { type: "text_delta", text };
  }
  const answer = await asked;
  const durationMs = clock.now() - startedAt;
  return {
    provider: model.provider,
    model: model.model,
    content: answer.text,
    toolCalls: uniqueIds(answer.toolCalls).map(refusePastLimit),
    finishReason: consistentReason(answer),
    usage: answer.usage,
    startedAt,
    durationMs,
    firstTokenMs: firstTokenMs ?? durationMs,
  };
}

/** Runs the pending calls of a step at the same time; yields as each finishes. */
async function* runTools(run: AssistantRun, step: Step): AsyncGenerator<AssistantEvent, Step, void> {
  const toolCalls = [...step.toolCalls];
  const pending = [...toolCalls.entries()].filter(([, call]) => isPending(call));
  for (const [, call] of pending) yield { type: "tool_started", call };
  const running = new Map(
    pending.map(([index, call]) => [
      index,
      executeToolCall(call, run).then((finished) => ({ index, call: finished })),
    ]),
  );
  while (running.size > 0) {
    const { index, call } = await Promise.race(running.values());
    running.delete(index);
    toolCalls[index] = call;
    yield { type: "tool_finished", call };
  }
  return { ...step, toolCalls };
}

/** Some servers say `stop` and call tools all the same, or the other way round. */
function consistentReason({ finishReason, toolCalls }: ModelAnswer): FinishReason {
  if (finishReason !== "stop" && finishReason !== "tool_calls") return finishReason;
  return toolCalls.length > 0 ? "tool_calls" : "stop";
}

/** Results are matched to calls by id, and some servers give every call the same one. */
function uniqueIds(calls: readonly ModelToolCall[]): ModelToolCall[] {
  const seen = new Set<string>();
  return calls.map((call, index) => {
    let { id } = call;
    while (id === "" || seen.has(id)) id = `${id || "call"}-${index}`;
    seen.add(id);
    return { ...call, id };
  });
}

function refusePastLimit(call: ModelToolCall, index: number): ToolCall {
  if (index < MAX_PARALLEL_CALLS) return call;
  return { ...call, error: `At most ${MAX_PARALLEL_CALLS} tools can be called at once.`, durationMs: 0 };
}

/** Pending calls of a step that was written before a crash: may they simply be made again? */
function withUnknownOutcomes(run: AssistantRun, step: Step): Step {
  const error = "Outcome unknown: the server stopped while this ran. Check before doing it again.";
  return {
    ...step,
    toolCalls: step.toolCalls.map((call) =>
      isPending(call) && !isRepeatable(run, call) ? { ...call, error, durationMs: 0 } : call,
    ),
  };
}

/** A call of an unknown tool does nothing, so it may be repeated. */
function isRepeatable(run: AssistantRun, call: ToolCall): boolean {
  return run.tools.find(call.name)?.readOnly ?? true;
}
