import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "@jest/globals";
import { skipOutsideCI } from "./skip.ts";

/** A disk of 8 MB, which a test can fill. */
export interface SmallDisk {
  readonly folder: string;
  /** Leaves this many bytes free. */
  fill(free: number): void;
  makeRoom(): void;
  unmount(): void;
}

/** Describes tests that need a disk of their own. Where none can be mounted they are skipped, which in CI is a failure. */
export function describeSmallDisk(name: string, tests: (disk: SmallDisk) => void): void {
  const disk = mountSmallDisk();
  if (typeof disk === "string") skipOutsideCI(name, disk);
  else describe(name, () => tests(disk));
}

function mountSmallDisk(): SmallDisk | string {
  if (process.getuid?.() !== 0) return "only root may mount a small disk: run the tests as root";
  const folder = mkdtempSync(join(tmpdir(), "parley-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    rmdirSync(folder);
    return `a small disk can't be mounted here: ${error}`;
  }
  const filler = join(folder, "filler");
  return {
    folder,
    fill(free) {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(filler, Buffer.alloc(bavail * bsize - free));
    },
    makeRoom: () => rmSync(filler, { force: true }),
    unmount() {
      execFileSync("umount", [folder]);
      rmdirSync(folder);
    },
  };
}
