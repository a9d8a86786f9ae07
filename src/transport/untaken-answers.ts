import type { ServerResponse } from "node:http";
import type { Answer } from "./answer.ts";
import { overloaded } from "./incoming/refusal.ts";

/** Shorter ones are not counted: they are given to everyone, whoever leaves long ones lying. In characters. */
const LONG = 65_536;
/** What all that are counted may have, in characters. */
const MAX_TOTAL = 64 * 1_048_576;

/** Long answers that their clients have not taken yet: one that asks and never reads must not fill the memory. */
export class UntakenAnswers {
  #total = 0;

  /** @throws Refusal `unavailable` for a long answer, while others take up all the room. */
  requireRoom({ length }: Answer["body"]): void {
    if (length >= LONG && this.#total > MAX_TOTAL) throw overloaded();
  }

  /** Counts an answer that was sent, until it is taken or its connection closed. */
  add(response: ServerResponse, { length }: Answer["body"]): void {
    if (length < LONG) return;
    this.#total += length;
    response.once("close", () => {
      this.#total -= length;
    });
  }
}
