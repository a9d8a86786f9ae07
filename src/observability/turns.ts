import type { Step, ToolCall } from "../core/assistant/step.ts";
import type { ExecutionResult, RunningTurn } from "../core/chat/turn.ts";
import type { ModelCall } from "../core/ledger/model-call.ts";
import type { Logger } from "../core/logger.ts";
import type { RunObserver, ToolCallEnd, TurnObserver } from "../core/turn-observer.ts";
import type { ModelCallMeter } from "./model-calls.ts";
import { round } from "./requests.ts";
import type { Telemetry } from "./telemetry.ts";
import { errorType, markFailed, type Span, type Tracing } from "./tracing.ts";

const OUTCOMES = ["completed", "failed", "lost", "stopped", "error"] as const;

/** How a run ended; the reason where the turn has failed. */
interface RunEnd {
  readonly outcome: (typeof OUTCOMES)[number];
  readonly reason?: string;
}

/** One line of the log, the meters and the spans of each turn, its steps and its tool calls. */
export function watchTurns(telemetry: Telemetry, meterCall: ModelCallMeter): TurnObserver {
  const { waiting, takenOver, replayed, ended, seconds } = telemetry.meters.turns;
  for (const outcome of OUTCOMES) {
    ended.of(outcome);
    seconds.of(outcome);
  }
  return {
    waiting() {
      waiting.value++;
      let over = false;
      return () => {
        if (!over) waiting.value--;
        over = true;
      };
    },
    takenOver() {
      takenOver.of().value++;
    },
    replayed() {
      replayed.of().value++;
    },
    begin: (turn, log) => new WatchedRun(turn, log, telemetry, meterCall),
  };
}

class WatchedRun implements RunObserver {
  readonly #turn: RunningTurn;
  readonly #log: Logger;
  readonly #telemetry: Telemetry;
  readonly #meterCall: ModelCallMeter;
  readonly #steps: Step[] = [];
  readonly #startedAt = performance.now();
  readonly #span: Span | undefined;

  constructor(turn: RunningTurn, log: Logger, telemetry: Telemetry, meterCall: ModelCallMeter) {
    this.#turn = turn;
    this.#log = log;
    this.#telemetry = telemetry;
    this.#meterCall = meterCall;
    this.#span = this.#startSpan();
  }

  async run(work: () => Promise<ExecutionResult>): Promise<ExecutionResult> {
    const { running } = this.#telemetry.meters.turns;
    running.value++;
    let end: RunEnd = { outcome: "error" };
    try {
      const result = await this.beside(work);
      end = endOf(result);
      return result;
    } catch (error) {
      end = { outcome: "error", reason: errorType(error) };
      throw error;
    } finally {
      running.value--;
      this.#end(end);
    }
  }

  beside<T>(work: () => T): T {
    const { tracing } = this.#telemetry;
    if (!tracing || !this.#span) return work();
    return tracing.within(this.#span, work, this.#turn.conversationId);
  }

  modelCallEnded(call: ModelCall, firstTokenMs: number | undefined): void {
    this.#meterCall(call, this.#turn, firstTokenMs);
  }

  step(index: number, work: () => Promise<Step>): Promise<Step> {
    const { tracing } = this.#telemetry;
    const attributes = { "parley.step.index": index };
    const made = tracing ? tracing.runChild("step", { attributes }, () => work()) : work();
    return made.then((step) => {
      this.#steps.push(step);
      return step;
    });
  }

  async toolCall(
    call: ToolCall,
    tool: string | undefined,
    work: () => Promise<ToolCallEnd>,
  ): Promise<ToolCallEnd> {
    const { meters, tracing } = this.#telemetry;
    const name = tool ?? "unknown";
    const startedAt = performance.now();
    let outcome: ToolCallEnd["outcome"] | "aborted" = "aborted";
    try {
      const end = await (tracing ? this.#traceToolCall(tracing, call, name, work) : work());
      outcome = end.outcome;
      return end;
    } finally {
      meters.tools.calls.of(name, outcome).value++;
      meters.tools.seconds.of(name).observe((performance.now() - startedAt) / 1000);
    }
  }

  #traceToolCall(
    tracing: Tracing,
    call: ToolCall,
    name: string,
    work: () => Promise<ToolCallEnd>,
  ): Promise<ToolCallEnd> {
    const attributes = {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": name,
      "gen_ai.tool.call.id": call.id,
      "gen_ai.conversation.id": this.#turn.conversationId,
    };
    return tracing.runChild(`execute_tool ${name}`, { attributes }, async (span) => {
      const end = await work();
      if (span && end.outcome !== "ok") markFailed(span, end.outcome);
      if (span && tracing.captureContent) {
        span.setAttributes({
          "gen_ai.tool.call.arguments": call.arguments,
          "gen_ai.tool.call.result": end.result,
        });
      }
      return end;
    });
  }

  #startSpan(): Span | undefined {
    const { tracing } = this.#telemetry;
    if (!tracing) return undefined;
    const { conversationId, id, seq, attempts } = this.#turn;
    const attributes = {
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.agent.name": "parley",
      "gen_ai.conversation.id": conversationId,
      "parley.turn.id": id,
      "parley.turn.seq": seq,
      "parley.turn.attempt": attempts,
    };
    return tracing.start("turn", { attributes }, tracing.activeSpan);
  }

  #end(end: RunEnd): void {
    const { ended, seconds } = this.#telemetry.meters.turns;
    const durationMs = performance.now() - this.#startedAt;
    ended.of(end.outcome).value++;
    seconds.of(end.outcome).observe(durationMs / 1000);
    const sums = sumsOf(this.#steps);
    this.beside(() => this.#log.info({ ...end, ...sums, duration_ms: round(durationMs) }, "Turn"));
    if (!this.#span) return;
    this.#span.setAttributes({
      "parley.turn.outcome": end.outcome,
      "gen_ai.usage.input_tokens": sums.input_tokens,
      "gen_ai.usage.output_tokens": sums.output_tokens,
    });
    if (end.reason !== undefined) markFailed(this.#span, end.reason);
    this.#span.end();
  }
}

function endOf(result: ExecutionResult): RunEnd {
  if (result.type !== "ended") return { outcome: result.type };
  const { turn } = result;
  if (turn.state === "completed") return { outcome: "completed" };
  return { outcome: "failed", reason: turn.error.meta.reason ?? turn.error.code };
}

function sumsOf(steps: readonly Step[]) {
  const sums = {
    steps: steps.length,
    tool_calls: 0,
    input_tokens: 0,
    output_tokens: 0,
    model_ms: 0,
    tool_ms: 0,
  };
  for (const { usage, durationMs, toolCalls } of steps) {
    sums.input_tokens += usage?.inputTokens ?? 0;
    sums.output_tokens += usage?.outputTokens ?? 0;
    sums.model_ms += durationMs;
    sums.tool_calls += toolCalls.length;
    // They run at the same time.
    sums.tool_ms += Math.max(0, ...toolCalls.map((call) => call.durationMs ?? 0));
  }
  return sums;
}
