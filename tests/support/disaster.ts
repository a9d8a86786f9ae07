import { sweepExpiredTurns } from "../../src/core/chat/sweeper.ts";
import type { TurnResult } from "../../src/core/chat/turn-runner.ts";
import { AppError } from "../../src/core/errors.ts";
import type { LanguageModel, ModelAnswer, ModelRequest } from "../../src/core/model/language-model.ts";
import { modelError } from "../../src/core/model/model-errors.ts";
import { ChatWorld, type ServerProcess } from "./chat-world.ts";
import { ahead } from "./fake-clock.ts";
import { type Fault, fails, losesAnswer } from "./faults.ts";
import { seededRandom } from "./random.ts";
import { echoTool } from "./tools.ts";

const LEASE_MS = 3_000;
const SETTINGS = { leaseMs: LEASE_MS, timeoutMs: 20_000, waitMs: 10_000 };
const SERVERS = 3;

/** A call that the model was asked for a reply with. */
export interface Asked {
  readonly question: string;
  readonly messages: ModelRequest["messages"];
}

interface Running extends ServerProcess {
  /** Rejects when the process is killed. */
  readonly death: Promise<never>;
  kill(): void;
}

/**
 * Some processes on one store, in which all that can happen to a process does, at random: calls of the store
 * fail, lose their answers or hang for longer than a lease; the model fails or is slow; processes are killed
 * or stopped, and others take their places.
 */
export class Disaster {
  readonly asked: Asked[] = [];
  /** How often the tool with a side effect was run, by the message it was for. */
  readonly booked = new Map<string, number>();
  /** Calls of the model, of all kinds. */
  calls = 0;
  readonly random: () => number;
  readonly world: ChatWorld;
  readonly #servers: Running[] = [];
  #isCalm = false;

  private constructor(world: ChatWorld, seed: number) {
    this.world = world;
    this.random = seededRandom(seed);
    for (let count = 0; count < SERVERS; count++) this.#servers.push(this.#start());
  }

  static async begin(seed: number): Promise<Disaster> {
    return new Disaster(await ChatWorld.open(), seed);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  /** Lets up to `maxMs` pass. */
  pause(maxMs: number): Promise<void> {
    return this.world.clock.sleep(1 + Math.floor(this.random() * maxMs));
  }

  /** Any of the processes. */
  get server(): Running {
    return this.#servers[Math.floor(this.random() * SERVERS)] as Running;
  }

  /** Sends a request to any of the processes, whose death is a broken connection. */
  async send(request: (server: ServerProcess) => Promise<TurnResult>): Promise<TurnResult> {
    const { server } = this;
    const result = request(server);
    result.catch(() => undefined);
    return Promise.race([result, server.death]);
  }

  /** Kills and stops processes until the work is done. */
  async strikeDuring(work: Promise<unknown>): Promise<void> {
    let done = false;
    const strikes = async () => {
      while (!done) {
        await this.pause(4_000);
        const place = Math.floor(this.random() * SERVERS);
        const struck = this.#servers[place] as Running;
        this.#servers[place] = this.#start();
        if (this.chance(0.3)) await struck.runner.stop(Math.floor(this.random() * 2_000));
        struck.kill();
      }
    };
    await this.world.until(Promise.all([work.finally(() => (done = true)), strikes()]), 500);
  }

  /** From now on nothing goes wrong, and what was interrupted is brought to its end. */
  async calm(): Promise<void> {
    this.#isCalm = true;
    await this.world.clock.advance(20 * LEASE_MS);
  }

  async end(): Promise<void> {
    for (const server of this.#servers) server.kill();
    await this.world.close();
  }

  #start(): Running {
    const { promise: death, reject } = Promise.withResolvers<never>();
    death.catch(() => undefined);
    const killed = new AbortController();
    const { signal } = killed;
    const kill = () => {
      killed.abort();
      reject(new AppError("unavailable", "The connection is closed."));
    };
    const book = echoTool({ name: "book", readOnly: false }, async ({ text = "" }) => {
      this.booked.set(text, (this.booked.get(text) ?? 0) + 1);
      if (this.chance(0.5)) await this.#unlessKilled(signal, () => this.pause(2_000));
      return "booked";
    });
    const clock = ahead(this.world.clock, Math.floor((this.random() - 0.5) * LEASE_MS));
    const options = { tools: [book], settings: SETTINGS, clock };
    const process = this.world.process(this.#model(signal), options);
    process.store.planAll(() => (call) => this.#unlessKilled(signal, () => this.#fault()(call)));
    void sweepExpiredTurns({ ...process, clock, log: this.world.log }, LEASE_MS / 2, signal);
    return { ...process, death, kill };
  }

  #fault(): Fault {
    const sort = this.#isCalm ? 1 : this.random();
    if (sort < 0.03) return fails;
    if (sort < 0.06) return losesAnswer;
    if (sort < 0.08) return (call) => this.pause(1.5 * LEASE_MS).then(call);
    if (sort < 0.1) return async (call) => call().finally(() => this.pause(1.5 * LEASE_MS));
    return (call) => call();
  }

  /** Nothing comes to a process that was killed, and nothing comes of what it goes on with. */
  async #unlessKilled<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const never = new Promise<never>(() => undefined);
    if (signal.aborted) return never;
    try {
      return await work();
    } finally {
      if (signal.aborted) await never;
    }
  }

  /** Books something first, for some messages. No two answers are the same. */
  #model(killed: AbortSignal): LanguageModel {
    const generate = async (request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer> => {
      const call = ++this.calls;
      const { messages, operation } = request;
      const question = messages.findLast(({ role }) => role === "user")?.content ?? "";
      if (operation === "reply") this.asked.push({ question, messages });
      await this.#unlessKilled(killed, () => this.pause(this.chance(0.1) ? 2 * LEASE_MS : 500));
      signal.throwIfAborted();
      if (!this.#isCalm && this.chance(0.1)) throw modelError("model_overloaded");
      const usage = { inputTokens: 1, outputTokens: call };
      const books = messages.at(-1)?.role === "user" && question.endsWith("!") && operation === "reply";
      if (books) {
        const toolCall = { id: "1", name: "book", arguments: JSON.stringify({ text: question }) };
        return { text: "", toolCalls: [toolCall], finishReason: "tool_calls", usage };
      }
      const text = operation === "title" ? "A title" : `Answer ${call} to ${question}`;
      return { text, toolCalls: [], finishReason: "stop", usage };
    };
    return { provider: "openai", model: "gpt-4o-mini", generate };
  }
}
