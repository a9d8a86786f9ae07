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
  /** Ends the run, with its reason. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: Pick<RunObserver, "step" | "toolCall">;
  /** Takes down the model calls. */
  readonly calls?: CallRecorder;
  /** Writes a step down. The run waits for it, so that what was done last is always known; a rejection ends it. */
  readonly save: (event: StepEvent) => Promise<void>;
  /** Is told of what lies between steps, as it happens. An AppError that it throws ends the run. */
  readonly onEvent?: (event: ProgressEvent) => void;
}

export type ProgressEvent =
  | { readonly type: "text_delta"; readonly text: string }
  | { readonly type: "tool_started"; readonly call: ToolCall }
  | { readonly type: "tool_finished"; readonly call: ToolCall };

/** A step to be written down. */
export type StepEvent =
  /**
   * The step at `index` has calls that change something in the world, and they are about to be
   * made: when it is written now, a crash in between can be told from one before.
   */
  | { readonly type: "step_pending"; readonly index: number; readonly step: Step }
  /**
   * The step at `index` is whole: its model call and all its tool calls are finished.
   * `isLast`: no other model call follows.
   */
  | { readonly type: "step_done"; readonly index: number; readonly step: Step; readonly isLast: boolean };

/**
 * The assistant's loop: asks the model, runs the tools that it calls, and asks again with their
 * results until it answers in words.
 *
 * @returns the reply.
 * @throws AppError when the model gives no usable answer (see model-errors.ts); the signal's reason; what
 *   saving a step rejects with.
 */
export async function runAssistant(run: AssistantRun): Promise<string> {
  const steps = [...run.steps];
  for (;;) {
    run.signal.throwIfAborted();
    const next = nextStep(steps, run.stopWhen);
    switch (next.type) {
      case "call_model":
        await run.observer.step(steps.length, () => addStep(run, steps, next.offerTools));
        break;
      case "run_tools":
        await run.observer.step(steps.length - 1, () =>
          finishStep(run, steps, withUnknownOutcomes(run, next.step)),
        );
        break;
      case "reply":
        return next.content;
      case "fail":
        throw next.error;
    }
  }
}

/** Asks the model, and runs the tools that it calls. */
async function addStep(run: AssistantRun, steps: Step[], offerTools: boolean): Promise<Step> {
  const step = await callModel(run, steps, offerTools);
  const index = steps.push(step) - 1;
  if (nextStep(steps, run.stopWhen).type !== "run_tools") {
    await stepDone(run, steps, step);
    return step;
  }
  if (step.toolCalls.some((call) => !isRepeatable(run, call))) {
    await run.save({ type: "step_pending", index, step });
  }
  return finishStep(run, steps, step);
}

/** Runs the pending calls of the last step. */
async function finishStep(run: AssistantRun, steps: Step[], pending: Step): Promise<Step> {
  const toolCalls = await Promise.all(
    pending.toolCalls.map((call) => (isPending(call) ? runTool(run, call) : call)),
  );
  const step = { ...pending, toolCalls };
  await stepDone(run, steps, step);
  return step;
}

function stepDone(run: AssistantRun, steps: Step[], step: Step): Promise<void> {
  const index = steps.length - 1;
  steps[index] = step;
  const isLast = nextStep(steps, run.stopWhen).type !== "call_model";
  return run.save({ type: "step_done", index, step, isLast });
}

async function runTool(run: AssistantRun, pending: ToolCall): Promise<ToolCall> {
  run.onEvent?.({ type: "tool_started", call: pending });
  const call = await executeToolCall(pending, run);
  run.onEvent?.({ type: "tool_finished", call });
  return call;
}

async function callModel(run: AssistantRun, steps: readonly Step[], offerTools: boolean): Promise<Step> {
  const { model, clock, signal } = run;
  const startedAt = clock.now();
  let firstTokenMs: number | undefined;
  let length = 0;
  const request: ModelRequest = {
    operation: "reply",
    messages: [...run.messages, ...steps.flatMap(stepMessages)],
    tools: offerTools ? run.tools.definitions : [],
    locale: run.user.locale,
    calls: run.calls,
    onText(text) {
      // A model may not listen to its signal.
      signal.throwIfAborted();
      firstTokenMs ??= clock.now() - startedAt;
      length += text.length;
      if (length > MAX_ANSWER_CHARS) throw modelError("model_length");
      run.onEvent?.({ type: "text_delta", text });
    },
  };
  const answer = await orAborted(model.generate(request, signal), signal);
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
