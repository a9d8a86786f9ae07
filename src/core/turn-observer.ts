import type { Step, ToolCall } from "./assistant/step.ts";
import type { ExecutionResult, RunningTurn } from "./chat/turn.ts";
import type { ModelCall } from "./ledger/model-call.ts";
import type { Logger } from "./logger.ts";

/**
 * What happens to turns that no other port shows, for the log, meters and traces. Observers never throw
 * and change nothing: what they are given to run they run once, at once, and its outcome is passed on.
 */
export interface TurnObserver {
  /** A message begins to wait for the turns before it. @returns what is called when it no longer does. */
  waiting(): () => void;
  /** This process has taken over a turn that another one had left. */
  takenOver(): void;
  /** A request is answered with a turn that an earlier one with its key has made. */
  replayed(): void;
  /** A turn is to be run. */
  begin(turn: RunningTurn, log: Logger): RunObserver;
}

/** One run of a turn. */
export interface RunObserver {
  /** The whole run, to its end. */
  run(work: () => Promise<ExecutionResult>): Promise<ExecutionResult>;
  /** The step at `index`: its model call, its tool calls and their being written down. */
  step(index: number, work: () => Promise<Step>): Promise<Step>;
  /** @param tool its name; undefined where the model made it up. */
  toolCall(call: ToolCall, tool: string | undefined, work: () => Promise<ToolCallEnd>): Promise<ToolCallEnd>;
  /** What is done beside the run, and belongs to its turn. */
  beside<T>(work: () => T): T;
  /**
   * A call of the model has ended, as the ledger has it.
   *
   * @param firstTokenMs from the call's start to the first piece of its answer, in milliseconds.
   */
  modelCallEnded(call: ModelCall, firstTokenMs: number | undefined): void;
}

/** A tool call's end. */
export interface ToolCallEnd extends Pick<ToolCall, "result" | "error"> {
  readonly outcome: ToolCallOutcome;
}

/**
 * - `ok`: the call has a result.
 * - `error`: the tool told the model of a failure.
 * - `invalid_arguments`, `unknown_tool`: the model made a call that can't be run.
 * - `timeout`: the tool took too long.
 * - `fault`: the tool failed in a way that it does not know.
 */
export const TOOL_CALL_OUTCOMES = [
  "ok",
  "error",
  "invalid_arguments",
  "unknown_tool",
  "timeout",
  "fault",
] as const;

export type ToolCallOutcome = (typeof TOOL_CALL_OUTCOMES)[number];

export const UNOBSERVED_RUN: RunObserver = {
  run: (work) => work(),
  step: (_index, work) => work(),
  toolCall: (_call, _tool, work) => work(),
  beside: (work) => work(),
  modelCallEnded: () => undefined,
};

export const UNOBSERVED: TurnObserver = {
  waiting: () => () => undefined,
  takenOver: () => undefined,
  replayed: () => undefined,
  begin: () => UNOBSERVED_RUN,
};
