import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

const RULES = "deploy/prometheus/rules";
const DASHBOARDS = "deploy/grafana/dashboards";

const ruleFileSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.union([
          z.strictObject({ record: z.string(), expr: z.string() }),
          z.strictObject({
            alert: z.string(),
            expr: z.string(),
            for: z.string().optional(),
            labels: z.strictObject({ severity: z.enum(["critical", "warning"]) }),
            annotations: z.strictObject({ summary: z.string(), runbook: z.string() }),
          }),
        ]),
      ),
    }),
  ),
});

const panelSchema = z.object({
  id: z.int(),
  type: z.string(),
  title: z.string().min(1),
  description: z.string().min(1),
  datasource: z.strictObject({ type: z.literal("prometheus"), uid: z.string().regex(/^\$\{datasource\}$/) }),
  gridPos: z.strictObject({ h: z.int(), w: z.int(), x: z.int(), y: z.int() }),
  fieldConfig: z.object({ defaults: z.object({ unit: z.string().optional() }) }),
  targets: z.array(z.object({ refId: z.string(), expr: z.string(), legendFormat: z.string() })).nonempty(),
});

const dashboardSchema = z.object({
  uid: z.string(),
  title: z.string(),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.string(), definition: z.string().optional() })),
  }),
  panels: z.array(panelSchema).nonempty(),
});

const read = (path: string) => readFileSync(path, "utf8");

export function readRules() {
  const files = readdirSync(RULES).map((file) => ruleFileSchema.parse(parse(read(join(RULES, file)))));
  const rules = files.flatMap(({ groups }) => groups.flatMap((group) => group.rules));
  return {
    recorded: rules.filter((rule) => "record" in rule),
    alerts: rules.filter((rule) => "alert" in rule),
  };
}

export function readDashboards() {
  return readdirSync(DASHBOARDS).map((file) =>
    dashboardSchema.parse(JSON.parse(read(join(DASHBOARDS, file)))),
  );
}
