/**
 * What becomes of a message when something that the server uses fails while it is answered. This list is
 * what the fault tests run, and docs/faults.md is made from it.
 */

/** What its sender is answered. */
export interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly reason?: string;
  /** In words, for docs/faults.md. */
  readonly words: string;
}

export const ANSWERS = {
  reply: { status: 200, words: "the reply, as if nothing had happened" },
  toldModel: { status: 200, words: "a reply; the model is told that the tool failed, and why" },
  modelUnavailable: {
    status: 503,
    code: "unavailable",
    reason: "model_unavailable",
    words: "`unavailable`, `model_unavailable`: after three tries",
  },
  modelInterrupted: {
    status: 503,
    code: "unavailable",
    reason: "model_interrupted",
    words: "`unavailable`, `model_interrupted`",
  },
  modelOverloaded: {
    status: 503,
    code: "unavailable",
    reason: "model_overloaded",
    words: "`unavailable`, `model_overloaded`",
  },
  modelEmpty: {
    status: 503,
    code: "unavailable",
    reason: "model_empty",
    words: "`unavailable`, `model_empty`",
  },
  modelRejected: {
    status: 412,
    code: "failed_precondition",
    reason: "model_rejected",
    words: "`failed_precondition`, `model_rejected`: the operator has to mend the settings",
  },
  storeUnavailable: {
    status: 503,
    code: "unavailable",
    words: "`unavailable`; the message may be stored all the same",
  },
} as const satisfies Record<string, Answer>;

export interface Outcome {
  readonly fault: string;
  readonly answer: keyof typeof ANSWERS;
}

const outcomes = (answers: Record<string, keyof typeof ANSWERS>): Outcome[] =>
  Object.entries(answers).map(([fault, answer]) => ({ fault, answer }));

export const OUTCOMES = {
  openai: outcomes({
    refused: "modelUnavailable",
    cut: "modelUnavailable",
    stalled: "modelUnavailable",
    slow: "reply",
    truncated: "modelInterrupted",
    garbled: "modelUnavailable",
    "status 500": "modelUnavailable",
    "status 503, once": "reply",
    "status 429": "modelOverloaded",
    "status 401": "modelRejected",
    "status 400": "modelRejected",
    "a web page": "modelRejected",
    "an empty answer": "modelEmpty",
    "malformed JSON in the stream": "modelInterrupted",
    "a stream that breaks off in mid-answer": "modelInterrupted",
  }),
  weather: outcomes({
    refused: "toldModel",
    cut: "toldModel",
    stalled: "toldModel",
    slow: "reply",
    truncated: "toldModel",
    garbled: "toldModel",
    "status 500": "toldModel",
    "status 503, once": "reply",
    "status 429": "toldModel",
    "status 404": "toldModel",
    "malformed JSON": "toldModel",
    "an endless body": "toldModel",
  }),
  calendar: outcomes({
    refused: "toldModel",
    cut: "toldModel",
    stalled: "toldModel",
    slow: "reply",
    truncated: "toldModel",
    garbled: "toldModel",
    "status 500": "toldModel",
    "status 503, once": "reply",
    "status 429": "toldModel",
    "status 404": "toldModel",
    "a web page": "toldModel",
    "an endless body": "toldModel",
  }),
  mongo: outcomes({
    refused: "storeUnavailable",
    cut: "storeUnavailable",
    stalled: "storeUnavailable",
    slow: "reply",
    truncated: "storeUnavailable",
    garbled: "storeUnavailable",
  }),
  redis: outcomes({
    refused: "reply",
    cut: "reply",
    stalled: "reply",
    slow: "reply",
    truncated: "reply",
    garbled: "reply",
  }),
  sqlite: outcomes({
    "locked by another program": "storeUnavailable",
    "a full disk": "storeUnavailable",
    "its file moved away": "storeUnavailable",
  }),
} satisfies Record<string, readonly Outcome[]>;

const NAMES: Record<keyof typeof OUTCOMES, string> = {
  openai: "The model's server (OPENAI_BASE_URL)",
  weather: "The weather service",
  calendar: "The holiday calendar's feed",
  mongo: "MongoDB",
  redis: "Redis",
  sqlite: "The embedded database",
};

/** docs/faults.md */
export function documentation(): string {
  const sections = Object.entries(OUTCOMES).map(([upstream, list]) => {
    const rows = list.map(({ fault, answer }) => `| ${fault} | ${ANSWERS[answer].words} |`);
    const name = NAMES[upstream as keyof typeof OUTCOMES];
    return [`## ${name}`, "", "| fault | the sender gets |", "|---|---|", ...rows, ""].join("\n");
  });
  return [
    "# When something fails",
    "",
    "What becomes of a message when something that the server uses fails while it is answered. In every one",
    "of these cases its sender gets an answer and the server goes on. Once the fault is over, what was",
    "`unavailable` is answered when it is sent again with its idempotency key, the conversation takes the next",
    "message, and none is lost or doubled. This page is made from the list that the tests run",
    "(`tests/e2e/faults/outcomes.ts`).",
    "",
    "Where a fault of a service lasts, its breaker opens, and it is left alone for a while: the model is then",
    "`model_unavailable` at once, and tools fail at once or answer with what they know of before.",
    "",
    "- refused: connections are reset as they are made",
    "- cut: connections are reset when the answer comes",
    "- stalled: the answer never comes",
    "- slow: the answer comes 64 bytes at a time",
    "- truncated: the connection ends in the middle of the answer",
    "- garbled: other bytes come in place of the answer",
    "",
    ...sections,
  ].join("\n");
}
