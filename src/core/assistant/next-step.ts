import type { AppError } from "../errors.ts";
import { modelError } from "../model/model-errors.ts";
import { isPending, type Step } from "./step.ts";

/** What the loop does after the steps so far. */
export type NextStep =
  | { readonly type: "call_model"; readonly offerTools: boolean }
  | { readonly type: "run_tools"; readonly step: Step }
  | { readonly type: "reply"; readonly content: string }
  | { readonly type: "fail"; readonly error: AppError };

/**
 * Whether the model gets no more tools: it is asked once more, for an answer in words. Conditions
 * are pure, and once true for some steps they stay true for more.
 */
export type StopCondition = (steps: readonly Step[]) => boolean;

/** Stops after `limit` model calls. */
export function stepLimit(limit: number): StopCondition {
  return (steps) => steps.length >= limit;
}

export function nextStep(steps: readonly Step[], stopWhen: readonly StopCondition[]): NextStep {
  const stopped = (some: readonly Step[]) => stopWhen.some((condition) => condition(some));
  const last = steps.at(-1);
  if (last === undefined) return { type: "call_model", offerTools: !stopped(steps) };
  switch (last.finishReason) {
    case "tool_calls":
      if (stopped(steps.slice(0, -1))) return { type: "fail", error: modelError("model_rounds") };
      if (last.toolCalls.some(isPending)) return { type: "run_tools", step: last };
      return { type: "call_model", offerTools: !stopped(steps) };
    case "stop":
      if (last.content.trim() === "") return { type: "fail", error: modelError("model_empty") };
      return { type: "reply", content: last.content };
    case "length":
      return { type: "fail", error: modelError("model_length") };
    case "content_filter":
      return { type: "fail", error: modelError("model_filtered") };
  }
}

/**
 * The steps that a run can go on from when it is begun again: all, but for a last one that only
 * repeating can mend, such as an empty answer.
 */
export function resumableSteps(steps: readonly Step[], stopWhen: readonly StopCondition[]): readonly Step[] {
  const next = nextStep(steps, stopWhen);
  return next.type === "fail" && next.error.retryable ? steps.slice(0, -1) : steps;
}
