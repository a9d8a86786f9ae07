import { AppError } from "./core/errors.ts";

/**
 * What is wrong, for whoever started a program that can't go on: an AppError's own text is for clients, and
 * points to a log that there is none of yet.
 */
export function startProblem(error: unknown): string {
  if (error instanceof AppError && error.cause instanceof Error) {
    return `The store can't be used: ${error.cause.message}. A MongoDB must run where MONGO_URI says; the embedded database needs room in DATA_DIR, and no other program that keeps it locked.`;
  }
  return error instanceof Error ? error.message : String(error);
}
