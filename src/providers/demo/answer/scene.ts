import type { z } from "zod";
import type { IsoDate } from "../calendar.ts";
import type { Conversation } from "../conversation.ts";
import { type Call, doneCall } from "../plan.ts";
import { type Outcome, parseResult } from "../results.ts";
import type { Words } from "./words.ts";

/** What an answer is made from. */
export interface Scene {
  readonly conversation: Conversation & { readonly today: IsoDate };
  readonly words: Words;
}

/** What came of a call; a call that was not made, because no tool was offered any more, is a problem too. */
export function outcomeOf<T>(call: Call, schema: z.ZodType<T>, { conversation }: Scene): Outcome<T> {
  const done = doneCall(call, conversation.calls);
  if (done === undefined) return { problem: "I have no tool at hand to look it up" };
  return done.isError ? { problem: done.content } : parseResult(schema, done.content);
}
