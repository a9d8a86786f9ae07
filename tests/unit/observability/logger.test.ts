import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import type { LogFields } from "../../../src/core/logger.ts";
import { modelError } from "../../../src/core/model/model-errors.ts";
import { createLogger } from "../../../src/observability/logger.ts";

const SECRET = "what the user wrote";
/** As a fault of the code would pass them, past its types. */
const secretFields = { content: SECRET, body: { text: SECRET }, prompt: [SECRET] } as LogFields;

function open(level = "debug", terminal = false) {
  const out = new PassThrough();
  const log = createLogger(level, { terminal, out });
  const text = () => String(out.read() ?? "");
  const lines = () =>
    text()
      .split("\n")
      .filter((line) => line !== "")
      .map((line): Record<string, unknown> => JSON.parse(line));
  return { log, text, lines };
}

test("a line has its fields and those of its log, and no other", () => {
  const { log, lines } = open();
  log
    .child({ request_id: "r", ...secretFields })
    .child({ turn_id: "t", ...secretFields })
    .info({ steps: 2, ...secretFields }, "Turn");
  const time = expect.any(Number);
  expect(lines()).toEqual([{ level: 30, time, request_id: "r", turn_id: "t", steps: 2, msg: "Turn" }]);
});

test("of an error there are its kind, words and frames, its codes and its causes", () => {
  const { log, lines } = open();
  const cause = Object.assign(new Error("429 Slow down"), {
    status: 429,
    headers: { authorization: SECRET },
    request: { body: SECRET },
  });
  log.warn({ err: modelError("model_overloaded", cause) }, "A turn failed");
  const [line] = lines();
  expect(line).toMatchObject({
    err: {
      type: "AppError",
      code: "unavailable",
      reason: "model_overloaded",
      stack: expect.stringMatching(/^ {4}at /),
      cause: { type: "Error", message: "429 Slow down", status: 429 },
    },
  });
  expect(JSON.stringify(line)).not.toContain(SECRET);
});

test("what JSON.parse could not read is not quoted", () => {
  const { log, lines } = open();
  try {
    JSON.parse(`{"text": ${SECRET}}`);
  } catch (err) {
    log.error({ err }, "No JSON");
  }
  const [line] = lines();
  expect(line?.err).toMatchObject({ type: "SyntaxError" });
  expect(JSON.stringify(line)).not.toContain(SECRET.slice(0, 6));
});

test("what was thrown and is no error, and causes without an end, do no harm", () => {
  const { log, lines } = open();
  const endless = new Error("endless");
  endless.cause = endless;
  log.error({ err: SECRET }, "Thrown");
  log.error({ err: endless }, "Caused by itself");
  const [thrown, caused] = lines();
  expect(thrown?.err).toEqual({ type: "string", message: "Not an error" });
  expect(JSON.stringify(caused).match(/endless/g)).toHaveLength(5);
});

test("lines below the level are left out", () => {
  const { log, lines } = open("warn");
  log.info({}, "Small talk");
  log.child({ request_id: "r" }).warn({}, "Look");
  expect(lines().map(({ msg }) => msg)).toEqual(["Look"]);
});

test("a terminal gets one readable line for each", () => {
  const { log, text } = open("info", true);
  log.child({ request_id: "r-1" }).info({ method: "GET", status: 200 }, "Request");
  expect(text()).toMatch(
    /^\[\d\d:\d\d:\d\d\] .*INFO.*: .*Request.* {"request_id":"r-1","method":"GET","status":200}\n$/,
  );
});
