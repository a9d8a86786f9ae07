import { goals } from "./goals.ts";
import { EMBEDDED, PRODUCTION } from "./names.ts";
import type { Results } from "./results.ts";
import { markdownTable, number, sectionText } from "./tables.ts";

/** Whose ratios to all others are shown. */
export const OWN = [EMBEDDED, PRODUCTION];

const BUSY =
  "Other programs were at work on this machine: the figures are worse than it can do, and only the ratios mean something.";

/** All results as a Markdown page. @param chartFile its SVG, beside it. */
export function page(results: Results, chartFile: string): string {
  return `${[
    "# Measurements",
    provenance(results),
    `![Turns a second](${chartFile})`,
    ...results.sections.map((section) => sectionText(section, OWN)),
    durabilityText(results),
    goalsText(results),
    ...(results.absent.length > 0 ? [absentText(results)] : []),
  ].join("\n\n")}\n`;
}

/** Where the figures come from and how to read them. */
export function provenance({ machine, command, date, commit, minutes }: Results): string {
  const { cpu, cores, memoryGb, system, node, loadAverage, syncMs } = machine;
  return [
    `Made with \`${command}\` at ${commit} on ${date.slice(0, 10)}, in ${number(minutes)} minutes: ${cpu}, ${cores} cores, ${memoryGb} GB, ${system}, Node.js ${node}; a write and fdatasync of 4 KB took ${number(syncMs.median)} ms (${number(syncMs.min)} – ${number(syncMs.max)}), the load average was ${number(loadAverage)} at the start.`,
    ...(loadAverage > cores / 2 ? [BUSY] : []),
    "Each server is one process, beside it on the same machine the load generator and the fake provider. Servers are warmed up with 15,000 operations, or as many as they do in ten seconds. Callers are a closed loop; the first operation of each, with which all of them open their connections at once, is left out of the times. Figures are medians over interleaved rounds; ratios are taken round by round, in brackets the least and the most. CPU is that of the server's process, for each operation; peak is the most memory it had resident.",
  ].join("\n\n");
}

function durabilityText({ durability }: Results): string {
  const rows = durability.map(({ name, acknowledged, missing }) => [
    name,
    number(acknowledged),
    String(missing),
  ]);
  const text = "Every turn that a caller was told of is looked up in the store itself afterwards.";
  return ["### Durability", text, markdownTable(["", "turns acknowledged", "missing"], rows)].join("\n\n");
}

function goalsText(results: Results): string {
  const rows = goals(results).map(({ name, target, measured, met }) => [
    name,
    target,
    measured,
    met ? "yes" : "no",
  ]);
  return ["### Goals", markdownTable(["", "target", "measured", "met"], rows)].join("\n\n");
}

function absentText({ absent }: Results): string {
  const lines = absent.map(({ name, reason }) => `- ${name}: ${reason.split("\n")[0]}`);
  return ["### Not measured", ...lines].join("\n");
}
