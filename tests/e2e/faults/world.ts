import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { expect } from "@jest/globals";
import type { ChatRequest } from "../../support/aimock.ts";
import { eventually } from "../../support/eventually.ts";
import { localServer } from "../../support/local-server.ts";
import { chunk, writeRaw } from "../../support/raw-sse.ts";
import type { RunningServer } from "../../support/server.ts";
import { TCP_FAULTS, type TcpFault } from "../../support/tcp-proxy.ts";
import { callJson } from "../../support/twirp.ts";
import { ANSWERS, type Outcome } from "./outcomes.ts";

export interface Answered {
  conversation_id: string;
  reply: string;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export type UpstreamServer = Awaited<ReturnType<typeof upstream>>;

/** An HTTP server that answers as `handle` says, or, while there is one, as `fault` does. */
export async function upstream(handle: Handler) {
  let fault: Handler | undefined;
  let met = 0;
  const { url, close } = await localServer(async (_, response, request) => {
    if (fault) met++;
    await (fault ?? handle)(request, response);
  });
  return {
    port: Number(new URL(url).port),
    /** Requests that met the present fault. */
    get met() {
      return met;
    },
    set fault(next: Handler | undefined) {
      fault = next;
      met = 0;
    },
    /** A fault of the next request alone. */
    once(next: Handler) {
      met = 0;
      fault = (request, response) => {
        fault = undefined;
        return next(request, response);
      };
    },
    close,
  };
}

/**
 * A model that does what it is told: to a message that ends in `get_weather {…}` it calls that tool with
 * those arguments, then replies with what the tool said; to anything else it replies with the same.
 */
export async function obedientModel(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { messages }: ChatRequest = JSON.parse(await text(request));
  const last = messages.at(-1);
  const isTitle = messages[0]?.content?.startsWith("Name the subject");
  const [, name, args] = /(get_\w+) (\{.*\})$/.exec(last?.content ?? "") ?? [];
  const call = { name, arguments: args };
  const events =
    last?.role === "user" && name && !isTitle
      ? [
          chunk({ tool_calls: [{ index: 0, id: "call_1", type: "function", function: call }] }),
          chunk({}, "tool_calls"),
        ]
      : [chunk({ content: isTitle ? "Faults" : last?.content }), chunk({}, "stop")];
  writeRaw(response, { raw: events });
}

export interface Trial {
  readonly server: RunningServer;
  readonly outcome: Outcome;
  /** What to ask; it reaches what fails. */
  readonly question: string;
  /** Whom the conversation is found by; without it, by its id. */
  readonly session_metadata?: object;
  /** What the reply is made of when all is well. */
  readonly wellAnswered: RegExp;
  /** What the model is told when a tool has failed. */
  readonly toolFailure?: RegExp;
  harm(): void | Promise<void>;
  /** Resolves when the harm is over. */
  mend(): void | Promise<void>;
  /** How often the fault has struck. */
  struck(): number;
}

/**
 * Asks before, in and after the fault: the answer in it is the outcome's; what was `unavailable` is
 * answered when it is sent again, and the conversation goes on and holds each message once and in order.
 * The process has lived through it without an error that it did not foresee.
 */
export async function tryFault({
  server,
  outcome,
  question,
  session_metadata,
  ...trial
}: Trial): Promise<void> {
  const expected = ANSWERS[outcome.answer];
  const first = await callJson<Answered>(server.url, "StartConversation", {
    message: "before",
    session_metadata,
  });
  expect(first).toMatchObject({ status: 200, body: { reply: "before" } });
  const { conversation_id } = first.body;
  const say = (when: "during" | "after", message: string) =>
    callJson<Answered>(server.url, "ContinueConversation", {
      ...(session_metadata ? { session_metadata } : { conversation_id }),
      message,
      idempotency_key: `${conversation_id}-${when}`,
    });

  await trial.harm();
  let during: Awaited<ReturnType<typeof say>>;
  try {
    during = await say("during", question);
    // It must have been met; by what goes on beside the turns, perhaps a little later.
    await eventually(() => trial.struck() > 0);
  } finally {
    await trial.mend();
  }
  expect(during).toMatchObject({
    status: expected.status,
    body: { ...("code" in expected && { code: expected.code }) },
  });
  if ("reason" in expected) expect(during.body.meta).toMatchObject({ reason: expected.reason });
  if (outcome.answer === "reply") expect(during.body.reply).toMatch(trial.wellAnswered);
  if (outcome.answer === "toldModel") expect(during.body.reply).toMatch(trial.toolFailure ?? /^$/);

  if (during.status === 503) {
    const again = await untilServed(() => say("during", question));
    expect(again.body.reply).toMatch(trial.wellAnswered);
  }
  const after = await untilServed(() => say("after", `after, ${question}`));
  expect(after.body.reply).toMatch(trial.wellAnswered);
  const { body } = await callJson<{ conversation: { messages: { role: string; content: string }[] } }>(
    server.url,
    "DescribeConversation",
    { conversation_id },
  );
  const asked = body.conversation.messages.filter(({ role }) => role === "USER").map((m) => m.content);
  expect(asked).toEqual(["before", question, `after, ${question}`]);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expectNoSurprise(server);
}

/** A store that is back may need a moment until its clients know. */
async function untilServed(ask: () => ReturnType<typeof callJson<Answered>>) {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503 && answer.status !== 409) {
      expect(answer).toMatchObject({ status: 200 });
      return answer;
    }
  }
}

const ERROR_LEVEL = 50;

/** The server's log has no error, which is what it did not foresee, and nobody wrote past it. */
export function expectNoSurprise(server: RunningServer): void {
  const surprises = server.log.filter(
    (line) => !line.startsWith("{") || JSON.parse(line).level >= ERROR_LEVEL,
  );
  expect(surprises).toEqual([]);
}

export function tcpFault(name: string): TcpFault {
  const found = TCP_FAULTS.find((fault) => fault === name);
  if (!found) throw new Error(`There is no fault '${name}'`);
  return found;
}
