import { runAssistant, type StepEvent } from "../assistant/loop.ts";
import { resumableSteps, stepLimit } from "../assistant/next-step.ts";
import { systemPrompt } from "../assistant/system-prompt.ts";
import type { ToolRegistry } from "../assistant/tool-registry.ts";
import { deadline } from "../deadline.ts";
import { AppError, toAppError } from "../errors.ts";
import type { IdGenerator } from "../ids.ts";
import type { CallLog, CallLogDeps } from "../ledger/call-log.ts";
import type { ModelCall } from "../ledger/model-call.ts";
import type { Logger } from "../logger.ts";
import type { LanguageModel } from "../model/language-model.ts";
import type { RunObserver } from "../turn-observer.ts";
import type { ConversationStore, PlacedStep } from "./conversation-store.ts";
import type { History } from "./history.ts";
import { type ExecutionResult, type RunningTurn, type TurnState, toTurnError } from "./turn.ts";

export interface TurnSettings {
  /** The deadline of a run, in milliseconds. */
  readonly timeoutMs: number;
  /** How long a lease holds; it is renewed three times as often. In milliseconds. */
  readonly leaseMs: number;
  /** Model calls with tools in one turn. */
  readonly maxRounds: number;
}

export interface TurnExecutionDeps extends CallLogDeps {
  readonly store: ConversationStore;
  readonly model: LanguageModel;
  readonly tools: ToolRegistry;
  readonly ids: IdGenerator;
  readonly history: History;
  readonly settings: TurnSettings;
}

/** A turn that was interrupted this often may be what brings the process down: it is not tried again. */
const MAX_ATTEMPTS = 5;

class LeaseLost extends Error {}

/**
 * Runs a turn that this process holds to its end, writing down each step before the next model
 * call, and the last one with the end. A failure of the assistant ends the turn as `failed`.
 *
 * @param calls takes down those of the model.
 * @throws AppError when the store fails even in that: the turn is then left to its lease.
 */
export async function executeTurn(
  turn: RunningTurn,
  calls: CallLog,
  deps: TurnExecutionDeps,
  observer: RunObserver,
  stop: AbortSignal,
  log: Logger,
): Promise<ExecutionResult> {
  const { clock, history, settings, store } = deps;
  const holder = turn.lease.holder;
  /** What comes after it is the turn's end, which takes it along. */
  let lastStep: PlacedStep | undefined;
  const end = async (outcome: Exclude<TurnState, { state: "running" }>): Promise<ExecutionResult> => {
    const now = clock.now();
    calls.close("reply");
    const ended = await calls.carry((made) => store.endTurn(turn, holder, outcome, now, made, lastStep));
    if (!ended) return { type: "lost" };
    const { state: _, lease: __, ...base } = turn;
    return { type: "ended", turn: { ...base, updatedAt: now, ...outcome } };
  };

  if (turn.attempts > MAX_ATTEMPTS) {
    const error = new AppError("internal", "The server stopped several times while it worked on this.");
    log.error({ err: error, attempt: turn.attempts }, "A turn is given up");
    return end({ state: "failed", error: toTurnError(error) });
  }

  const timeout = deadline(clock, settings.timeoutMs, () => timeoutError(settings.timeoutMs), stop);
  const lease = keepLease(turn, deps, () => timeout.abort(new LeaseLost()), log);
  try {
    const stopWhen = [stepLimit(settings.maxRounds)];
    const written = resumableSteps(turn.steps, stopWhen);
    const steps = [...written];
    const save = async (event: StepEvent) => {
      if (event.type === "step_done") {
        steps[event.index] = event.step;
        if (event.isLast) {
          lastStep = event;
          return;
        }
        calls.announce("reply");
      }
      const { index, step } = event;
      const write = (made: readonly ModelCall[]) =>
        store.saveStep(turn, holder, index, step, clock.now(), made);
      if (!(await calls.carry(write))) throw new LeaseLost();
    };
    const content = await runAssistant({
      model: deps.model,
      tools: deps.tools,
      messages: [
        { role: "system", content: systemPrompt(turn.createdAt, turn.userLocale) },
        ...(await history.before(turn)),
        { role: "user", content: turn.user.content },
      ],
      steps: written,
      stopWhen,
      user: turn.userLocale,
      signal: timeout.signal,
      clock,
      log,
      observer,
      calls: calls.recorder("reply"),
      save,
    });
    const reply = { messageId: deps.ids.next(), content, createdAt: clock.now() };
    const result = await end({ state: "completed", reply });
    if (result.type === "ended") history.add(turn, steps);
    return result;
  } catch (error) {
    if (error instanceof LeaseLost) return { type: "lost" };
    if (stop.aborted) {
      lease.release();
      await store.renewLease(turn, holder, clock.now());
      return { type: "stopped" };
    }
    const failure = toAppError(error);
    const level = failure.code === "internal" ? "error" : "warn";
    log[level]({ err: failure, code: failure.code }, "A turn failed");
    return await end({ state: "failed", error: toTurnError(failure) });
  } finally {
    timeout.clear();
    lease.release();
    calls.close("reply");
  }
}

function timeoutError(ms: number): AppError {
  const seconds = ms / 1000;
  return new AppError(
    "deadline_exceeded",
    `The answer took longer than ${seconds} seconds. Ask for less at once, or raise TURN_TIMEOUT_SECONDS.`,
  );
}

/** Renews the turn's lease until it is released; calls `onLost` when another holder has the turn. */
function keepLease(
  turn: RunningTurn,
  { store, clock, settings }: TurnExecutionDeps,
  onLost: () => void,
  log: Logger,
) {
  let released = false;
  let cancel: () => void;
  const renewLater = () => {
    if (!released) cancel = clock.after(settings.leaseMs / 3, renew);
  };
  const renew = () => {
    store.renewLease(turn, turn.lease.holder, clock.now() + settings.leaseMs).then(
      (renewed) => (renewed ? renewLater() : onLost()),
      (error) => {
        // Every write checks the holder, so going on is safe; the next renewal may succeed.
        log.warn({ err: error }, "A turn's lease could not be renewed");
        renewLater();
      },
    );
  };
  renewLater();
  return {
    release() {
      released = true;
      cancel();
    },
  };
}
