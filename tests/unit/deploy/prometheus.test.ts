import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { z } from "zod";
import { readRules } from "../../support/deploy.ts";
import { describeWith } from "../../support/system-program.ts";

const { alerts } = readRules();
const names = alerts.map(({ alert }) => alert);

describeWith({ program: "promtool", debianPackage: "prometheus" }, "deploy/prometheus with promtool", () => {
  test.each([
    ["check", "config", "--syntax-only", "prometheus.yml"],
    ["check", "rules", ...readdirSync("deploy/prometheus/rules").map((file) => `rules/${file}`)],
    ["test", "rules", "alerts.test.yml"],
  ])("promtool %s %s", async (...args) => {
    const { stdout } = await promisify(execFile)("promtool", args, { cwd: "deploy/prometheus" });
    expect(stdout).toContain("SUCCESS");
  });
});

describe("each alert", () => {
  const schema = z.object({
    tests: z.array(
      z.object({
        alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })),
      }),
    ),
  });
  const { tests } = schema.parse(parse(readFileSync("deploy/prometheus/alerts.test.yml", "utf8")));
  const cases = tests.flatMap((group) => group.alert_rule_test);

  test.each(names)("%s is tested, where it fires and where it does not", (name) => {
    const firing = cases
      .filter(({ alertname }) => alertname === name)
      .map((one) => one.exp_alerts.length > 0);
    expect(new Set(firing)).toEqual(new Set([true, false]));
  });

  test("has a place in the documentation, and nothing else has", () => {
    const documentation = readFileSync("docs/operations.md", "utf8");
    const headings = [...documentation.matchAll(/^### (Parley\w+)$/gm)].map(([, name]) => name);
    expect(headings).toEqual(names);
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    }
  });
});
