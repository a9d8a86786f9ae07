/** One of the things that can be asked of a process, with its argument and its answer. */
type Call = (argument: never) => unknown;
type Argument<Asked> = Asked extends (argument: infer A) => unknown ? A : never;
type Answer<Asked> = Asked extends (argument: never) => infer R ? Awaited<R> : never;

interface Question {
  readonly call: string;
  readonly id: number;
  readonly argument: unknown;
}

type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly problem: string });

/** Sends a message to the process at the other end; `done` hears of it when that fails. */
type Send = (message: Question | Reply, done: (error: Error | null) => void) => unknown;

/** Calls between two processes that are connected: `Theirs` is what the other one can be asked for. */
export class Channel<Theirs extends { readonly [Name in keyof Theirs]: Call }> {
  readonly #send: Send;
  readonly #mine: ReadonlyMap<string, Call>;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  #ids = 0;
  #closed: Error | undefined;

  /** @param mine what the other process may ask for. */
  constructor(send: Send, mine: Readonly<Record<string, Call>>) {
    this.#send = send;
    this.#mine = new Map(Object.entries(mine));
  }

  /** @throws Error when there is no answer within `timeoutMs`, or none can come, or it is an error. */
  async ask<Name extends keyof Theirs & string>(
    call: Name,
    argument: Argument<Theirs[Name]>,
    timeoutMs: number,
  ): Promise<Answer<Theirs[Name]>> {
    if (this.#closed) throw this.#closed;
    const id = ++this.#ids;
    const asked = Promise.withResolvers<unknown>();
    this.#asked.set(id, asked);
    const timer = setTimeout(
      () => asked.reject(new Error(`No answer to ${call} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    this.#send({ call, id, argument }, (error) => error && asked.reject(error));
    try {
      return (await asked.promise) as Answer<Theirs[Name]>;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(id);
    }
  }

  /** Takes a message from the other process. */
  receive(message: Question | Reply): void {
    if ("call" in message) void this.#answer(message);
    else if ("problem" in message) this.#asked.get(message.id)?.reject(new Error(message.problem));
    else this.#asked.get(message.id)?.resolve(message.result);
  }

  /** The other process has ended: what it was asked fails. */
  close(reason: Error): void {
    this.#closed = reason;
    for (const { reject } of this.#asked.values()) reject(reason);
  }

  async #answer({ call, id, argument }: Question): Promise<void> {
    let reply: Reply;
    try {
      const answer = this.#mine.get(call);
      if (!answer) throw new Error(`There is no ${call} to be asked for`);
      reply = { id, result: await answer(argument as never) };
    } catch (error) {
      reply = { id, problem: error instanceof Error ? error.message : String(error) };
    }
    // Whoever asked has ended when this fails, and waits no longer.
    this.#send(reply, () => undefined);
  }
}
