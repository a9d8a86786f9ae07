import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "@jest/globals";

/** Ways to ask others past src/net. */
const VIOLATIONS = [
  'export const a = fetch("https://example.org");',
  'export const a = globalThis.fetch("https://example.org");',
  "export const { fetch: a } = globalThis;",
  'export const a = new WebSocket("wss://example.org");',
  'export const a = new EventSource("https://example.org");',
  'export { request } from "undici";',
  'export * from "undici";',
  'export const a = import("undici");',
  'export { request } from "node:http";',
  'import http from "node:http";\nexport const a = http;',
  'import * as http from "node:http";\nexport const a = http;',
  'export { request } from "node:https";',
  'export { connect } from "node:http2";',
  'import { connect } from "node:net";\nexport const a = connect;',
  'export { connect } from "node:tls";',
];
const FINE = [
  'import { createServer, type IncomingMessage } from "node:http";\nexport const a = createServer;\nexport type B = IncomingMessage;',
  "export const a = (fetch: (url: string) => unknown) => fetch('https://example.org');",
];

/** For each text the rules that the project's linter finds broken where it stands in such a file. */
function broken(path: (index: number) => string, texts: readonly string[]): string[][] {
  const project = mkdtempSync(join(tmpdir(), "parley-lint-"));
  try {
    copyFileSync("biome.json", join(project, "biome.json"));
    for (const [index, text] of texts.entries()) {
      const file = join(project, path(index));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    const { stdout } = spawnSync(
      resolve("node_modules/.bin/biome"),
      ["lint", "--vcs-enabled=false", "--reporter=json", "--max-diagnostics=none"],
      { cwd: project, encoding: "utf8" },
    );
    const { diagnostics, summary }: Report = JSON.parse(stdout);
    expect(summary.unchanged).toBe(texts.length + 1);
    return texts.map((_text, index) =>
      diagnostics
        .filter(({ location }) => location.path.endsWith(path(index)))
        .map(({ category }) => category),
    );
  } finally {
    rmSync(project, { recursive: true });
  }
}

interface Report {
  readonly summary: { readonly unchanged: number };
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: { readonly path: string };
  }[];
}

test.each(["src/tools/weather", "src/providers/openai", "src"])(
  "past src/net there is none in %s",
  (folder) => {
    const rules = broken((index) => `${folder}/planted${index}.ts`, VIOLATIONS);
    const rule = expect.stringMatching(/^lint\/style\/noRestricted(Globals|Imports)$/);
    expect(rules).toEqual(VIOLATIONS.map(() => expect.arrayContaining([rule])));
  },
);

test("src/net is the way out, and serving needs none", () => {
  expect(broken((index) => `src/net/planted${index}.ts`, VIOLATIONS).flat()).toEqual([]);
  expect(broken((index) => `src/transport/planted${index}.ts`, FINE).flat()).toEqual([]);
});
