import { overloaded } from "./refusal.ts";
import type { RequestLimits } from "./request-limits.ts";

/** Where a message says that it comes from; see SessionMetadata in chat.proto. */
interface Sender {
  readonly platform: string;
  readonly userId: string;
}

/** What a message must pass once it has been read, before a turn is begun for it. */
export class TurnGate {
  readonly #limits: Pick<RequestLimits, "admitUser">;
  readonly #maxConcurrent: number;
  #atWork = 0;

  constructor(limits: Pick<RequestLimits, "admitUser">, maxConcurrent: number) {
    this.#limits = limits;
    this.#maxConcurrent = maxConcurrent;
  }

  /** @throws Refusal `resource_exhausted` or `unavailable`, when `turn` was not begun. */
  async run<T>(principal: string, sender: Sender | undefined, turn: () => Promise<T>): Promise<T> {
    if (sender) await this.#limits.admitUser(principal, sender.platform, sender.userId);
    if (this.#atWork >= this.#maxConcurrent) throw overloaded();
    this.#atWork++;
    try {
      return await turn();
    } finally {
      this.#atWork--;
    }
  }
}
