import { resolve } from "node:path";
import type { Plugin } from "esbuild";
import { bundle } from "../../scripts/bundle.ts";

/** Modules of Parley that observe it, and what the benchmark puts in their place. */
const REPLACED = ["src/open-observability.ts", "src/core/ledger/call-log.ts"];

/** Builds Parley without metrics and ledger, for which it has no switch. Returns its folder. */
export async function buildUnobserved(): Promise<string> {
  const root = resolve(import.meta.dirname, "../..");
  const outdir = resolve(root, "dist.unobserved");
  const plugin: Plugin = {
    name: "unobserved",
    setup(build) {
      for (const path of REPLACED) {
        const file = resolve(root, path);
        const filter = new RegExp(`^${file.replace(/\W/g, "\\$&")}$`);
        const inPlace = resolve(import.meta.dirname, path.replace(/.*\//, ""));
        build.onLoad({ filter }, () => ({ contents: `export * from ${JSON.stringify(inPlace)};` }));
      }
    },
  };
  await bundle(outdir, [plugin]);
  return outdir;
}
