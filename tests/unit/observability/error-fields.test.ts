import { expect, test } from "@jest/globals";
import { AppError } from "../../../src/core/errors.ts";
import { errorFields } from "../../../src/observability/error-fields.ts";

const fault = Object.assign(new Error("WRONGPASS"), {
  code: "ERR_AUTH",
  command: { name: "auth", args: ["secret"] },
  words: "You said so.",
});

test("an error is told by its name, message, stack, code and causes, and by nothing else of it", () => {
  const error = new AppError("unavailable", "Try again.", { cause: fault, meta: { reason: "r" } });
  const stack = expect.stringMatching(/^ {4}at /);
  expect(errorFields(false)(error)).toEqual({
    type: "AppError",
    message: "Try again.",
    stack,
    code: "unavailable",
    reason: "r",
    cause: { type: "Error", message: "WRONGPASS", stack, code: "ERR_AUTH" },
  });
});

test("somebody else's words are told only when they are asked for", () => {
  expect(errorFields(true)(fault)).toMatchObject({ words: "You said so." });
});

test("each part of an error that is several", () => {
  const both = new AggregateError([fault, "thrown as it is"], "Both failed");
  expect(errorFields(false)(both)).toMatchObject({
    message: "Both failed",
    errors: [{ message: "WRONGPASS" }, { type: "string", message: "Not an error" }],
  });
});

test("an error that is its own cause", () => {
  const error = new Error("Round and round");
  error.cause = error;
  expect(JSON.stringify(errorFields(false)(error))).toContain("Round and round");
});
