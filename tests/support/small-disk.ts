import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "@jest/globals";

/** A disk of 8 MB, which a test can fill. */
export interface SmallDisk {
  readonly folder: string;
  /** Leaves this many bytes free. */
  fill(free: number): void;
  makeRoom(): void;
  unmount(): void;
}

/** Describes tests that need a disk of their own; skipped where none can be mounted. */
export function describeSmallDisk(name: string, tests: (disk: SmallDisk) => void): void {
  const disk = mountSmallDisk();
  if (typeof disk !== "string") {
    describe(name, () => tests(disk));
    return;
  }
  process.stderr.write(`SKIPPED ${name}: ${disk}\n`);
  describe.skip(`${name}: SKIPPED, ${disk}`, () => undefined);
}

function mountSmallDisk(): SmallDisk | string {
  if (process.getuid?.() !== 0) return "only root may mount a small disk";
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
