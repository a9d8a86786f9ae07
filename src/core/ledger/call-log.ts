import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { CallOutcome, CallRecorder, RecordedCall } from "../model/call-recorder.ts";
import type { LanguageModel, ModelOperation } from "../model/language-model.ts";
import type { TokenUsage } from "../model/usage.ts";
import type { RunObserver } from "../turn-observer.ts";
import type { ModelCall } from "./model-call.ts";
import type { PriceList } from "./price-list.ts";

export interface CallLogDeps {
  readonly model: Pick<LanguageModel, "provider" | "model">;
  readonly clock: Clock;
  readonly prices: PriceList;
}

/** Calls that are going to be made, one for each of some operations. */
export type AnnouncedCalls = Partial<Readonly<Record<ModelOperation, ModelCall>>>;

/** The first calls of a run of a turn, to be written down before it. `run` is unique to it. */
export function firstCalls(deps: CallLogDeps, run: string): Required<AnnouncedCalls> {
  return { reply: newCall(deps, `${run}-1`, "reply"), title: newCall(deps, `${run}-2`, "title") };
}

/**
 * The model calls of one run of a turn on their way into the store. Each is written down as open before it
 * is sent, and its outcome afterwards, so that none is missing after a crash. Both ride with writes that
 * are made anyway: a call is announced in the write before it, and its outcome is carried by the next one
 * of the turn. Only a call that nothing announced, as one that is tried again, is written on its own.
 *
 * The calls of one operation are made one after the other.
 */
export class CallLog {
  readonly #deps: CallLogDeps;
  readonly #run: string;
  readonly #write: (calls: readonly ModelCall[]) => Promise<void>;
  readonly #announced: Map<ModelOperation, ModelCall>;
  readonly #observer: Pick<RunObserver, "modelCallEnded">;
  readonly #open = new Map<ModelOperation, OpenCall>();
  /** Of calls, {@link firstCalls} included. */
  #count = 2;
  #unwritten: ModelCall[] = [];
  #isOver = false;

  /**
   * @param run unique to the run.
   * @param write writes calls alone.
   * @param observer is told of each call that has ended.
   * @param announced of {@link firstCalls}, as far as they were written down already.
   */
  constructor(
    deps: CallLogDeps,
    run: string,
    write: (calls: readonly ModelCall[]) => Promise<void>,
    observer: Pick<RunObserver, "modelCallEnded">,
    announced: AnnouncedCalls = {},
  ) {
    this.#deps = deps;
    this.#run = run;
    this.#write = write;
    this.#observer = observer;
    this.#announced = new Map(Object.entries(announced) as [ModelOperation, ModelCall][]);
  }

  /** Whether the turn has no write to come that carries what is still unwritten. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The turn's next write is the last one before another call. */
  announce(operation: ModelOperation): void {
    this.#announced.set(operation, this.#newCall(operation));
  }

  recorder(operation: ModelOperation): CallRecorder {
    return {
      begin: () => {
        const announced = this.#announced.get(operation);
        if (!announced) return this.#writeNewCall(operation).then((call) => this.#begin(call));
        this.#announced.delete(operation);
        return this.#begin(announced);
      },
    };
  }

  /**
   * Gives what was not written yet to a write; it stays unwritten when that fails, or resolves with false,
   * having changed nothing.
   */
  async carry<T>(write: (calls: readonly ModelCall[]) => Promise<T>): Promise<T> {
    const calls = this.#unwritten;
    this.#unwritten = [];
    let isWritten = false;
    try {
      const result = await write(calls);
      isWritten = result !== false;
      return result;
    } finally {
      if (!isWritten) this.#unwritten = [...calls, ...this.#unwritten];
    }
  }

  /** No call of this operation will be made any more, and none waited for. */
  close(operation: ModelOperation): void {
    const announced = this.#announced.get(operation);
    if (announced) this.#unwritten.push({ ...announced, status: "unsent" });
    this.#announced.delete(operation);
    if (this.#open.has(operation)) this.#end(operation, "aborted");
  }

  /** To be called when the turn is not written any more: writes what is left, now and later; never rejects. */
  async finish(log: Logger): Promise<void> {
    this.#isOver = true;
    if (this.#unwritten.length === 0) return;
    await this.carry(this.#write).catch((error) => {
      log.warn({ err: error }, "Model calls could not be written down; the ledger has them as interrupted");
    });
  }

  #newCall(operation: ModelOperation): ModelCall {
    this.#count++;
    const call = newCall(this.#deps, `${this.#run}-${this.#count}`, operation);
    this.#unwritten.push(call);
    return call;
  }

  async #writeNewCall(operation: ModelOperation): Promise<ModelCall> {
    const call = this.#newCall(operation);
    try {
      await this.carry(this.#write);
      return call;
    } catch (error) {
      this.#unwritten.push({ ...call, status: "unsent" });
      throw error;
    }
  }

  #begin(call: ModelCall): RecordedCall {
    const { operation } = call;
    const { clock } = this.#deps;
    const open: OpenCall = { call, sentAt: clock.now() };
    this.#open.set(operation, open);
    return {
      answered() {
        open.firstTokenMs ??= clock.now() - open.sentAt;
      },
      end: (outcome, usage) => {
        if (this.#open.get(operation) === open) this.#end(operation, outcome, usage);
      },
    };
  }

  #end(operation: ModelOperation, status: CallOutcome, usage?: TokenUsage): void {
    const open = this.#open.get(operation);
    if (!open) return;
    this.#open.delete(operation);
    const { call, sentAt, firstTokenMs } = open;
    const { clock, prices } = this.#deps;
    const ended = {
      ...call,
      status,
      durationMs: Math.round(clock.now() - sentAt),
      usage,
      cost: prices.cost(call.provider, call.model, usage),
    };
    this.#unwritten.push(ended);
    this.#observer.modelCallEnded(ended, firstTokenMs);
  }
}

/** A call that was sent. */
interface OpenCall {
  readonly call: ModelCall;
  readonly sentAt: number;
  firstTokenMs?: number;
}

function newCall(
  { model: { provider, model }, clock, prices }: CallLogDeps,
  id: string,
  operation: ModelOperation,
): ModelCall {
  const cost = prices.cost(provider, model, undefined);
  return { id, operation, provider, model, startedAt: clock.now(), status: "open", cost };
}
