import { Channel } from "../../src/workers/channel.ts";
import type { PoolWorker, WorkerEnd } from "../../src/workers/pool.ts";

type Calls<C> = { readonly [Name in keyof C]: (argument: never) => unknown };

/** Two ends of a connection, over which messages pass as between processes: as JSON, and a little later. */
export function connect<Near extends Calls<Near>, Far extends Calls<Far>>(near: Near, far: Far) {
  const pass = (take: (message: never) => void) => (message: object) => {
    const json = JSON.stringify(message);
    setImmediate(() => take(JSON.parse(json) as never));
  };
  const ends: { near: Channel<Far>; far: Channel<Near> } = {
    near: new Channel<Far>(
      pass((message) => ends.far.receive(message)),
      { ...near },
    ),
    far: new Channel<Near>(
      pass((message) => ends.near.receive(message)),
      { ...far },
    ),
  };
  return ends;
}

/** A worker whose process is the test's imagination. */
export class ImaginedWorker implements PoolWorker {
  readonly pid = undefined;
  /** What it was told, in order. */
  readonly told: string[] = [];
  /** What it does when it is told to; by default it ends in order. */
  obeys = true;
  readonly #ready = Promise.withResolvers<{ url: string; about: string[] } | undefined>();
  readonly #leaving = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<WorkerEnd>();
  readonly ready = this.#ready.promise;
  readonly leaving = this.#leaving.promise;
  readonly ended = this.#ended.promise;

  constructor(readonly id: number) {}

  serve(): void {
    this.#ready.resolve({ url: `http://worker-${this.id}`, about: [] });
  }

  leave(): void {
    this.#leaving.resolve();
  }

  end(code?: number, text = "SIGKILL"): void {
    this.#ready.resolve(undefined);
    this.#leaving.resolve();
    this.#ended.resolve({ code, text });
  }

  stop(): void {
    this.#hear("stop");
  }

  retire(): void {
    this.#hear("retire");
  }

  kill(): void {
    this.told.push("kill");
    this.end();
  }

  #hear(what: string): void {
    this.told.push(what);
    if (this.obeys) this.end(0, "exit code 0");
  }
}
