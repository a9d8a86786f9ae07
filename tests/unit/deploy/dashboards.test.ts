import { expect, test } from "@jest/globals";
import { readDashboards } from "../../support/deploy.ts";

const dashboards = readDashboards();

test("there is one each for the system, the assistant and the stores", () => {
  expect(dashboards.map(({ uid }) => uid).sort()).toEqual([
    "parley-assistant",
    "parley-stores",
    "parley-system",
  ]);
});

test.each(dashboards)("the panels of $title have places and names of their own", ({ panels }) => {
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    expect(x + w).toBeLessThanOrEqual(24);
    return Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`);
  });
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const names = panels.map(({ type, title }) => `${type} ${title}`);
  expect(new Set(names).size).toBe(names.length);
  for (const { type, title, fieldConfig, targets } of panels) {
    if (type === "state-timeline") continue;
    expect([title, fieldConfig.defaults.unit]).toEqual([title, expect.any(String)]);
    if (type !== "table") expect(targets.map(({ legendFormat }) => legendFormat)).not.toContain("");
  }
});
