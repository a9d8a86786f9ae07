// Checks the contract and generates src/gen from it.
//   node scripts/generate.mjs            lint, refuse breaking changes, generate, keep the new baseline
//   node scripts/generate.mjs --check    the same, but fail when anything that is committed would change
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const GENERATED = "src/gen";
// The contract as it was last generated: what clients may rely on, in a form that buf compares with.
const BASELINE = "proto/baseline.json";

const check = process.argv.includes("--check");
const out = check ? mkdtempSync(join(tmpdir(), "parley-generate-")) : ".";
const buf = (...args) => execFileSync("node_modules/.bin/buf", args, { stdio: "inherit" });

try {
  buf("lint", "proto");
  buf("format", "proto", "--diff", "--exit-code");
  if (existsSync(BASELINE)) buf("breaking", "proto", "--against", BASELINE);
  if (!check) rmSync(GENERATED, { recursive: true, force: true });
  buf("generate", "proto", "--template", "proto/buf.gen.yaml", "--output", out);
  const baseline = check ? join(out, "baseline.json") : BASELINE;
  buf("build", "proto", "--exclude-source-info", "--output", baseline);
  if (check) compare(out, baseline);
} catch (error) {
  // buf has already said what is wrong.
  if (error.status === undefined) console.error(error.message);
  process.exitCode = 1;
} finally {
  if (check) rmSync(out, { recursive: true, force: true });
}

function compare(fresh, baseline) {
  const stale = filesUnder(join(fresh, GENERATED))
    .filter((file) => !same(join(fresh, GENERATED, file), join(GENERATED, file)))
    .concat(filesUnder(GENERATED).filter((file) => !existsSync(join(fresh, GENERATED, file))));
  if (!same(baseline, BASELINE)) stale.push(BASELINE);
  if (stale.length > 0) {
    throw new Error(`Generated files are not up to date: ${stale.join(", ")}. Run: make generate`);
  }
}

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function same(a, b) {
  return existsSync(a) && existsSync(b) && readFileSync(a, "utf8") === readFileSync(b, "utf8");
}
