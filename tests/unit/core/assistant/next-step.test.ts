import { describe, expect, test } from "@jest/globals";
import { nextStep, resumableSteps, stepLimit } from "../../../../src/core/assistant/next-step.ts";
import type { FinishReason } from "../../../../src/core/model/language-model.ts";
import { toolStep } from "../../../support/assistant-run.ts";

const finished = toolStep({ result: "1" });
const pending = toolStep({ result: "1" }, {});
const ended = (content: string, finishReason: FinishReason = "stop") => ({
  ...toolStep(),
  content,
  finishReason,
});

describe("nextStep", () => {
  test.each([
    ["nothing yet", [], { type: "call_model", offerTools: true }],
    ["finished calls", [finished], { type: "call_model", offerTools: true }],
    ["finished calls in the last round", [finished, finished], { type: "call_model", offerTools: false }],
    ["a pending call", [finished, pending], { type: "run_tools", step: pending }],
    ["words", [finished, ended("Hi")], { type: "reply", content: "Hi" }],
    ["words after the last round", [finished, finished, ended("Hi")], { type: "reply", content: "Hi" }],
    ["calls after the last round", [finished, finished, pending], { type: "fail" }],
  ])("after %s", (_, steps, expected) => {
    expect(nextStep(steps, [stepLimit(2)])).toMatchObject(expected);
  });
});

describe("resumableSteps", () => {
  test("leaves out an empty answer, so that it is asked for again", () => {
    expect(resumableSteps([finished, ended(" ")], [])).toEqual([finished]);
  });

  test.each([
    ["none", []],
    ["finished calls", [finished]],
    ["pending calls", [pending]],
    ["words", [finished, ended("Hi")]],
    ["an answer that asking again would not mend", [finished, ended("Half", "length")]],
  ])("keeps %s", (_, steps) => {
    expect(resumableSteps(steps, [stepLimit(5)])).toEqual(steps);
  });
});
