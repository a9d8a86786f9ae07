import { describe, expect, test } from "@jest/globals";
import { AppError, invalidArgument, toAppError } from "../../../src/core/errors.ts";

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

  test("an unknown error keeps its text to itself", () => {
    const cause = new Error("password is hunter2");
    const error = toAppError(cause);
    expect(error.code).toBe("internal");
    expect(JSON.stringify(error) + error.message).not.toContain("hunter2");
    expect(error.cause).toBe(cause);
    expect(toAppError(error)).toBe(error);
  });
});
