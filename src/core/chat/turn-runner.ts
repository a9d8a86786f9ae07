import { AppError } from "../errors.ts";
import { digest, type Id } from "../ids.ts";
import { type AnnouncedCalls, CallLog, firstCalls } from "../ledger/call-log.ts";
import type { ModelCall } from "../ledger/model-call.ts";
import type { Logger } from "../logger.ts";
import type { TurnObserver } from "../turn-observer.ts";
import type { Conversation, NewConversation } from "./conversation.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { generateTitle, TITLE_TIMEOUT_MS } from "./title.ts";
import {
  type EndedTurn,
  fromTurnError,
  type Lease,
  type NewTurn,
  type RunningTurn,
  type Turn,
  type TurnRef,
} from "./turn.ts";
import { executeTurn, type TurnExecutionDeps, type TurnSettings } from "./turn-execution.ts";

export interface TurnRunnerSettings extends TurnSettings {
  /** How long a message waits for the turns before it, in milliseconds. */
  readonly waitMs: number;
}

export interface TurnRunnerDeps extends TurnExecutionDeps {
  readonly observer: TurnObserver;
  readonly settings: TurnRunnerSettings;
}

export interface TurnRequest {
  readonly turn: Omit<NewTurn, "lease">;
  /** Makes the conversation when there is none yet. */
  readonly ifMissing?: NewConversation;
}

export interface TurnResult {
  readonly conversationId: Id;
  readonly title: string;
  readonly reply: string;
}

/** A turn at its end, with the conversation's title where this process knows it. */
interface Settled {
  readonly turn: EndedTurn;
  readonly title?: string;
}

/** A turn that this process has just begun: its conversation, and the calls that were taken down with it. */
interface Begun {
  readonly conversation: Conversation;
  readonly announced: AnnouncedCalls;
}

/** A title in the making. */
interface Naming {
  readonly title: Promise<string | undefined>;
  /** Nobody waits for it any more. */
  stop(): void;
}

/** Made once: an error takes down where it was made, which takes its time. */
const TURN_IS_OVER = new Error("The turn is over");

/** Messages that may wait for one conversation in one process. */
const MAX_WAITING = 100;
/** Between looks at a turn that another process runs, in milliseconds. */
const POLL_MS = { first: 20, max: 500 };

/**
 * Brings turns to their end, each exactly once: one at a time in a conversation, in the order the
 * messages came; repeated requests are attached to their turn; turns of crashed processes are taken
 * over.
 */
export class TurnRunner {
  readonly #deps: TurnRunnerDeps;
  readonly #queue: KeyedQueue;
  readonly #keyed = new Map<string, { requestHash: string; result: Promise<TurnResult> }>();
  readonly #active = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();
  #draining = false;

  constructor(deps: TurnRunnerDeps) {
    this.#deps = deps;
    this.#queue = new KeyedQueue(deps.clock);
  }

  /**
   * Runs the request's turn, or attaches the request to the turn that its key already made.
   *
   * @throws AppError that ended the turn; `aborted` when the conversation stays busy;
   *   `invalid_argument` when the key was used for another request.
   */
  submit(request: TurnRequest, log: Logger): Promise<TurnResult> {
    return this.#once(request.turn, () => this.#submit(request, log));
  }

  /** Attaches a request to a turn that is already stored. */
  attach(stored: Turn, request: TurnRequest["turn"], log: Logger): Promise<TurnResult> {
    return this.#once(request, () => this.#attach(stored, request.requestHash, log));
  }

  /** Takes over a turn whose lease has run out, and runs it to its end. */
  takeOver(ref: TurnRef, log: Logger): Promise<void> {
    const work = async () => {
      const taken = await this.#takeOver(ref);
      if (taken) await this.#run(taken, log);
    };
    return this.#track(work());
  }

  /**
   * Takes no more turns, gives those at work `graceMs` to end, then lets go of them: another
   * process, or this one started again, goes on with them.
   */
  async stop(graceMs: number): Promise<void> {
    this.#draining = true;
    const grace = new AbortController();
    const ended = Promise.allSettled(this.#active).finally(() => grace.abort());
    await this.#deps.clock.sleep(graceMs, grace.signal).catch(() => undefined);
    this.#stop.abort(stoppingError());
    await ended;
  }

  /** Of requests with one key that come while the first is at work, all get the first one's result. */
  #once(turn: TurnRequest["turn"], work: () => Promise<TurnResult>): Promise<TurnResult> {
    if (turn.idempotencyKey === undefined) return this.#track(work());
    const key = digest(turn.owner, turn.idempotencyKey);
    const first = this.#keyed.get(key);
    if (first) {
      if (first.requestHash !== turn.requestHash) return Promise.reject(keyReusedError());
      this.#deps.observer.replayed();
      return first.result;
    }
    const result = this.#track(work()).finally(() => this.#keyed.delete(key));
    this.#keyed.set(key, { requestHash: turn.requestHash, result });
    return result;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const ended = () => this.#active.delete(work);
    this.#active.add(work);
    work.then(ended, ended);
    return work;
  }

  async #submit(request: TurnRequest, log: Logger): Promise<TurnResult> {
    const { clock, observer, settings, store } = this.#deps;
    if (this.#draining) throw stoppingError();
    const until = clock.now() + settings.waitMs;
    const limits = {
      waitMs: settings.waitMs,
      onTimeout: busyError,
      maxWaiting: MAX_WAITING,
      onFull: () =>
        new AppError(
          "resource_exhausted",
          "Too many messages wait in this conversation. Send it again later.",
        ),
    };
    // With the owner: nobody waits behind, or fills up, another's conversation.
    const line = JSON.stringify([request.turn.owner, request.turn.conversationId]);
    const waited = observer.waiting();
    const run = async () => {
      for (;;) {
        if (this.#draining) throw stoppingError();
        const turn = { ...request.turn, lease: this.#newLease() };
        const announced = firstCalls(this.#deps, turn.lease.holder);
        const begin = await store.beginTurn(turn, request.ifMissing, Object.values(announced));
        switch (begin.type) {
          case "begun":
            waited();
            return await this.#resultOf(await this.#run(begin.turn, log, { ...begin, announced }));
          case "duplicate":
            waited();
            return await this.#attach(begin.turn, request.turn.requestHash, log);
          case "busy":
            if (!(await this.#settle(begin.running, until, log))) throw busyError();
        }
      }
    };
    try {
      return await this.#queue.run(line, limits, run);
    } finally {
      waited();
    }
  }

  async #attach(stored: Turn, requestHash: string, log: Logger): Promise<TurnResult> {
    const { clock, observer, settings, store } = this.#deps;
    if (stored.requestHash !== requestHash) throw keyReusedError();
    observer.replayed();
    let current = stored;
    if (stored.state === "failed" && stored.error.retryable && !this.#draining) {
      const reopened = await store.reopenTurn(stored, stored.updatedAt, this.#newLease(), clock.now());
      if (reopened) return this.#resultOf(await this.#run(reopened, log));
      // Another process may have been quicker, and runs the turn now.
      current = (await store.findTurn(stored)) ?? stored;
      if (current.state === "failed" && current.updatedAt === stored.updatedAt) {
        throw supersededError(current);
      }
    }
    const settled = await this.#settle(current, clock.now() + settings.timeoutMs + settings.leaseMs, log);
    if (!settled) throw busyError();
    return this.#resultOf(settled);
  }

  /** Waits until the turn has ended, whoever runs it; undefined when it has not at `until`. */
  async #settle(turn: Turn, until: number, log: Logger): Promise<Settled | undefined> {
    const { clock, store } = this.#deps;
    let current: Turn | undefined = turn;
    for (let pause = POLL_MS.first; ; pause = Math.min(pause * 2, POLL_MS.max)) {
      if (!current) throw new Error(`Turn ${turn.id} has vanished from the store`);
      if (current.state !== "running") return { turn: current };
      const now = clock.now();
      if (current.lease.expiresAt <= now) {
        const taken = await this.#takeOver(current);
        if (taken) return this.#run(taken, log);
      }
      if (now >= until) return undefined;
      await clock.sleep(Math.min(pause, until - now), this.#stop.signal);
      current = await store.findTurn(current);
    }
  }

  /** Runs a turn that this process holds; the conversation gets its title beside it. */
  async #run(turn: RunningTurn, log: Logger, begun?: Begun): Promise<Settled> {
    const { settings, clock, store } = this.#deps;
    const turnLog = log.child({ conversation_id: turn.conversationId, turn_id: turn.id });
    const observer = this.#deps.observer.begin(turn, turnLog);
    const write = (made: readonly ModelCall[]) => store.recordCalls(turn, made);
    const calls = new CallLog(this.#deps, turn.lease.holder, write, observer, begun?.announced);
    const known = begun?.conversation;
    const naming =
      known?.titleState === "final"
        ? undefined
        : observer.beside(() => this.#giveTitle(turn, known, calls, turnLog));
    try {
      const result = await observer.run(async () => {
        try {
          return await executeTurn(turn, calls, this.#deps, observer, this.#stop.signal, turnLog);
        } finally {
          await calls.finish(turnLog);
        }
      });
      if (result.type === "stopped") throw stoppingError();
      if (result.type === "ended") {
        if (result.turn.state === "failed") naming?.stop();
        return { turn: result.turn, title: naming ? await naming.title : known?.title };
      }
      const until = clock.now() + settings.timeoutMs + settings.leaseMs;
      const settled = await this.#settle(turn, until, log);
      if (!settled) throw busyError();
      return settled;
    } finally {
      naming?.stop();
      if (naming) await naming.title;
    }
  }

  /**
   * The conversation's title, named by the model if it has none of its own yet. Never rejects: what
   * was cut from the message stays, for good when the model has failed; after a stop, until the next
   * turn. Undefined when the store can't tell.
   */
  #giveTitle(turn: RunningTurn, known: Conversation | undefined, calls: CallLog, log: Logger): Naming {
    const noTitle = new AbortController();
    const signal = AbortSignal.any([noTitle.signal, this.#stop.signal]);
    const name = async () => {
      let title = known?.title;
      try {
        const conversation =
          known ?? (await this.#deps.store.findConversation(turn.owner, turn.conversationId));
        title = conversation?.title;
        if (conversation?.titleState !== "pending") return title;
        return await this.#nameConversation(turn, conversation.title, calls, signal, log);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, "A title could not be stored");
        return title;
      }
    };
    return { title: name(), stop: () => noTitle.abort(TURN_IS_OVER) };
  }

  async #nameConversation(
    turn: RunningTurn,
    cutTitle: string,
    calls: CallLog,
    signal: AbortSignal,
    log: Logger,
  ): Promise<string> {
    const { clock, model, store } = this.#deps;
    const { locale } = turn.userLocale;
    const recorder = calls.recorder("title");
    try {
      const title = await generateTitle(model, turn.user.content, locale, clock, signal, recorder).catch(
        (error) => {
          signal.throwIfAborted();
          log.warn({ err: error }, "The model gave no title; it is cut from the message");
          return cutTitle;
        },
      );
      calls.close("title");
      const write = (made: readonly ModelCall[]) => store.setTitle(turn, title, made);
      await (calls.isOver ? calls.carry(write) : write([]));
      return title;
    } finally {
      calls.close("title");
      if (calls.isOver) await calls.finish(log);
    }
  }

  async #resultOf({ turn, title }: Settled): Promise<TurnResult> {
    if (turn.state === "failed") throw fromTurnError(turn);
    const { conversationId, reply } = turn;
    return { conversationId, title: title ?? (await this.#titleOf(turn)), reply: reply.content };
  }

  /** The title of a turn that another process ran, which may still be naming the subject. */
  async #titleOf(turn: EndedTurn): Promise<string> {
    const { clock, store } = this.#deps;
    // The turn's time is that of another process, whose clock may be ahead.
    const until = Math.min(turn.updatedAt, clock.now()) + TITLE_TIMEOUT_MS;
    for (;;) {
      const conversation = await store.findConversation(turn.owner, turn.conversationId);
      if (!conversation) throw new Error(`Conversation ${turn.conversationId} has vanished from the store`);
      if (conversation.titleState === "final" || clock.now() > until) return conversation.title;
      await clock.sleep(POLL_MS.max, this.#stop.signal);
    }
  }

  async #takeOver(ref: TurnRef): Promise<RunningTurn | undefined> {
    if (this.#draining) throw stoppingError();
    const { clock, observer, store } = this.#deps;
    const taken = await store.takeOverTurn(ref, this.#newLease(), clock.now());
    if (taken) observer.takenOver();
    return taken;
  }

  #newLease(): Lease {
    const { clock, ids, settings } = this.#deps;
    return { holder: ids.next(), expiresAt: clock.now() + settings.leaseMs };
  }
}

function busyError(): AppError {
  return new AppError(
    "aborted",
    "The conversation is still busy with an earlier message. Send it again later.",
  );
}

function stoppingError(): AppError {
  return new AppError("unavailable", "The server is stopping. Send the message again in a moment.", {
    meta: { reason: "stopping" },
    retryAfterMs: 1_000,
  });
}

function keyReusedError(): AppError {
  return new AppError(
    "invalid_argument",
    "idempotency_key was already used for another request; use a new key for a new message",
    { meta: { argument: "idempotency_key" } },
  );
}

/** A turn that may only be tried again while it is the last one, and no longer is. */
function supersededError({ conversationId }: TurnRef): AppError {
  return new AppError(
    "failed_precondition",
    "This message failed, and the conversation has gone on since. Send it as a new message, with a new key.",
    { meta: { reason: "superseded", conversation_id: conversationId } },
  );
}
