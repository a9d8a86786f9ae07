// Bundles the programs into dist/: our own code becomes one file each, packages stay in node_modules.
import { build } from "esbuild";

await build({
  entryPoints: { main: "src/main.ts", cli: "src/cli/main.ts" },
  outdir: "dist",
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node24",
  sourcemap: "linked",
  logLevel: "warning",
});
