import { expect, test } from "@jest/globals";
import { storeUnavailable } from "../../src/core/errors.ts";
import { startProblem } from "../../src/start-problem.ts";

test("whoever starts a program in vain is told what is wrong with the store", () => {
  expect(startProblem(storeUnavailable(new Error("connect ECONNREFUSED")))).toBe(
    "The store can't be used: connect ECONNREFUSED. A MongoDB must run where MONGO_URI says; the embedded database needs room in DATA_DIR, and no other program that keeps it locked.",
  );
  expect(startProblem(new Error("Set PORT to another port"))).toBe("Set PORT to another port");
});
