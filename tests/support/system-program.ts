import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "@jest/globals";
import { skipOutsideCI } from "./skip.ts";

/** A program that the machine has, and the Debian package that it is in. */
export interface SystemProgram {
  readonly program: string;
  readonly debianPackage: string;
}

/**
 * Describes tests that need a program. Where it is missing it is installed if this is root on a
 * Debian; else the tests are skipped, which in CI is a failure.
 */
export function describeWith(wanted: SystemProgram, name: string, tests: () => void): void {
  const missing = find(wanted);
  if (missing === undefined) describe(name, tests);
  else skipOutsideCI(name, missing);
}

/** Undefined when it can be run, else why not. */
function find({ program, debianPackage }: SystemProgram): string | undefined {
  if (runs(program, "--version")) return undefined;
  if (process.getuid?.() !== 0 || !runs("apt-get", "--version")) {
    return `there is no ${program} on the PATH: install it (Debian: apt-get install ${debianPackage})`;
  }
  // One at a time: several suites may want something.
  const install = `apt-get install -y --no-install-recommends ${debianPackage}`;
  const script = `command -v ${program} || ${install} || { apt-get update && ${install}; }`;
  if (runs("flock", join(tmpdir(), "parley-apt.lock"), "sh", "-c", script)) return undefined;
  return `${program} is not on the PATH, and apt-get could not install it`;
}

function runs(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, {
      stdio: "ignore",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
    return true;
  } catch {
    return false;
  }
}
