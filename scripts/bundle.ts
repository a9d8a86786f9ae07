// Bundles the programs: our own code becomes one file each, packages stay in node_modules.
import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { build, type Plugin } from "esbuild";

const ROOT = resolve(import.meta.dirname, "..");

/** @param outdir beside node_modules; it is emptied first. */
export async function bundle(outdir: string, plugins: Plugin[] = []): Promise<void> {
  rmSync(resolve(ROOT, outdir), { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: {
      main: "src/main.ts",
      "checkpoint-thread": "src/stores/sqlite/checkpoint-thread.ts",
      cli: "src/cli/main.ts",
      telegram: "bots/telegram/main.ts",
      migrate: "scripts/migrate.ts",
      backup: "scripts/backup.ts",
      restore: "scripts/restore.ts",
    },
    outdir,
    bundle: true,
    // What is imported lazily, such as the driver of a store that is not in use, is loaded lazily.
    splitting: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node24",
    sourcemap: "linked",
    logLevel: "warning",
    plugins,
  });
}
