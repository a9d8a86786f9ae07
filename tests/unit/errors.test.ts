import { describe, expect, test } from "@jest/globals";
import { AppError, invalidArgument, storeUnavailable, toAppError } from "../../src/core/errors.ts";
import { startProblem } from "../../src/start-problem.ts";

describe("AppError", () => {
  test("codes for passing states are retryable by default, and an option overrides it", () => {
    expect(new AppError("unavailable", "x").retryable).toBe(true);
    expect(new AppError("not_found", "x").retryable).toBe(false);
    expect(new AppError("unavailable", "x", { retryable: false }).retryable).toBe(false);
  });

  test("a wait is told to programs in whole seconds, never too few", () => {
    const error = new AppError("unavailable", "x", { retryAfterMs: 1_001, meta: { reason: "y" } });
    expect(error).toMatchObject({ retryAfterMs: 1_001, meta: { reason: "y", retry_after: "2" } });
    expect(new AppError("unavailable", "x").meta).toEqual({});
  });

  test("an argument error names its argument in meta", () => {
    const error = invalidArgument("message", "must not be blank");
    expect(error).toMatchObject({
      code: "invalid_argument",
      publicMessage: "message must not be blank",
      meta: { argument: "message" },
    });
  });

  test("whoever starts a program in vain is told what is wrong with the store", () => {
    expect(startProblem(storeUnavailable(new Error("connect ECONNREFUSED")))).toBe(
      "The store can't be used: connect ECONNREFUSED. A MongoDB must run where MONGO_URI says; the embedded database needs room in DATA_DIR, and no other program that keeps it locked.",
    );
    expect(startProblem(new Error("Set PORT to another port"))).toBe("Set PORT to another port");
  });

  test("an unknown error keeps its text to itself", () => {
    const cause = new Error("password is hunter2");
    const error = toAppError(cause);
    expect(error.code).toBe("internal");
    expect(JSON.stringify(error) + error.message).not.toContain("hunter2");
    expect(error.cause).toBe(cause);
    expect(toAppError(error)).toBe(error);
  });
});
