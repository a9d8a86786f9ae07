// Bundles the programs into dist/: our own code becomes one file each, packages stay in node_modules.
import { rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: {
    main: "src/main.ts",
    cli: "src/cli/main.ts",
    telegram: "bots/telegram/main.ts",
    migrate: "scripts/migrate.ts",
    backup: "scripts/backup.ts",
    restore: "scripts/restore.ts",
  },
  outdir: "dist",
  bundle: true,
  // What is imported lazily, such as the driver of a store that is not in use, is loaded lazily.
  splitting: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node24",
  sourcemap: "linked",
  logLevel: "warning",
});
