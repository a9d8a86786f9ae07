import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import { markdownTable } from "./tables.ts";

/** A .cpuprofile, as far as it is used here: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** In microseconds. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children?: readonly number[];
}

interface Place {
  readonly name: string;
  /** A file of the project, `npm:package`, or what V8 calls its own. */
  readonly owner: string;
  readonly isOurs: boolean;
}

const SHOWN = 30;

/**
 * Where a profile's time went, as Markdown: by function, by who caused it (natives and Node's own code count
 * for the file or package that called them), and by who it was spent under.
 */
export function profileText(file: string): string {
  const profile: Profile = JSON.parse(readFileSync(file, "utf8"));
  const places = new Map(profile.nodes.map((node) => [node.id, placeOf(node)]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  const [byFunction, byCause, byPath] = [
    new Map<string, number>(),
    new Map<string, number>(),
    new Map<string, number>(),
  ];
  let total = 0;
  for (const [index, id] of profile.samples.entries()) {
    const time = profile.timeDeltas[index] ?? 0;
    const place = places.get(id);
    if (!place || place.name === "(idle)") continue;
    total += time;
    add(byFunction, `${place.name} · ${place.owner}`, time);
    const path = pathOf(id, parents, places);
    add(byCause, path.find(({ isOurs }) => isOurs)?.owner ?? place.owner, time);
    for (const owner of new Set(path.filter(({ isOurs }) => isOurs).map(({ owner }) => owner)))
      add(byPath, owner, time);
  }
  const table = (title: string, times: ReadonlyMap<string, number>) => {
    const rows = [...times].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
    return `**${title}**\n\n${markdownTable(
      ["", "%"],
      rows.map(([name, time]) => [name, ((time / total) * 100).toFixed(1)]),
    )}`;
  };
  return [
    `${(total / 1e6).toFixed(1)} s of work.`,
    table("Itself, by function", byFunction),
    table("Caused, by file or package", byCause),
    table("Itself and all it calls, by file or package", byPath),
  ].join("\n\n");
}

function pathOf(
  id: number,
  parents: ReadonlyMap<number, number>,
  places: ReadonlyMap<number, Place>,
): Place[] {
  const path: Place[] = [];
  for (let node: number | undefined = id; node !== undefined; node = parents.get(node)) {
    const place = places.get(node);
    if (place) path.push(place);
  }
  return path;
}

const sourceMaps = new Map<string, SourceMap | undefined>();

function placeOf({ callFrame: { functionName, url, lineNumber, columnNumber } }: ProfileNode): Place {
  const name = functionName || "(anonymous)";
  if (!url.startsWith("file:")) return { name, owner: url || "V8", isOurs: false };
  const path = fileURLToPath(url);
  const inPackage = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
  if (inPackage) return { name, owner: `npm:${inPackage}`, isOurs: true };
  const origin = sourceMapOf(path)?.findEntry(lineNumber, columnNumber);
  if (!origin || !("originalSource" in origin)) return { name, owner: path, isOurs: true };
  const source = origin.originalSource.replace(/^(\.\.\/)+/, "");
  return { name: `${name}:${origin.originalLine + 1}`, owner: source, isOurs: true };
}

function sourceMapOf(path: string): SourceMap | undefined {
  if (!sourceMaps.has(path)) {
    try {
      sourceMaps.set(path, new SourceMap(JSON.parse(readFileSync(`${path}.map`, "utf8"))));
    } catch {
      sourceMaps.set(path, undefined);
    }
  }
  return sourceMaps.get(path);
}

function add(times: Map<string, number>, key: string, time: number): void {
  times.set(key, (times.get(key) ?? 0) + time);
}
