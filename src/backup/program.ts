import { join } from "node:path";
import { parseArgs } from "node:util";
import { ConfigError } from "../config.ts";
import { startProblem } from "../start-problem.ts";
import type { ArchiveCounts } from "./format.ts";
import { openSource, openTarget, type StoreConfig } from "./open-store.ts";
import { type Output, Progress } from "./progress.ts";
import { restoreArchive, verifyArchive } from "./restore.ts";
import { writeArchive } from "./write-archive.ts";

/** What a program has of the world. */
export interface World {
  readonly config: () => StoreConfig;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Stops the work. */
  readonly signal: AbortSignal;
}

/** Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration, 130 stopped. */
export type ExitCode = 0 | 1 | 2 | 130;

const BACKUP = {
  usage: `Usage: make backup [BACKUP_PATH=file]

Writes all conversations, sessions and model usage to one compressed archive; the server may go on running.
By default the archive is backups/parley-<UTC time>.jsonl.gz. MONGO_URI and DATA_DIR say where the
store is. Without make: node dist/backup.js [file]
`,
  stopped: "Stopped: there is no archive.",
};

const RESTORE = {
  usage: `Usage: make restore BACKUP_PATH=file [FORCE=1]

Checks the whole archive, then restores it into the store that MONGO_URI and DATA_DIR name, of either
kind. Stop the server first. A store that is not empty is refused; FORCE=1 removes all that it holds.
Without make: node dist/restore.js [--force] file
`,
  stopped:
    "Stopped: the store may hold a part of the archive. Restore again with FORCE=1 (--force without make).",
};

/** @param args `[file]` */
export function backupProgram(args: readonly string[], world: World): Promise<ExitCode> {
  return run(BACKUP, world, async () => {
    const { values, positionals } = parse(() =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: { help: { type: "boolean", short: "h" } },
      }),
    );
    if (positionals.length > 1) throw new UsageError("Name one file at most.");
    if (values.help) return BACKUP.usage;

    const now = world.now();
    const path = positionals[0] ?? join("backups", `parley-${fileTime(now)}.jsonl.gz`);
    const { source, origin, description, close } = await openSource(world.config());
    try {
      const counts = await showing(world, "Backing up", (onProgress) =>
        writeArchive(source, { path, origin, now, onProgress, signal: world.signal }),
      );
      return `Backed up ${inWords(counts)} from ${description} to ${path}\n`;
    } finally {
      await close();
    }
  });
}

/** @param args `[--force] file` */
export function restoreProgram(args: readonly string[], world: World): Promise<ExitCode> {
  return run(RESTORE, world, async () => {
    const { values, positionals } = parse(() =>
      parseArgs({
        args: [...args],
        allowPositionals: true,
        options: { help: { type: "boolean", short: "h" }, force: { type: "boolean" } },
      }),
    );
    if (values.help) return RESTORE.usage;
    const [path, ...others] = positionals;
    if (path === undefined || others.length > 0) throw new UsageError("Name the archive to restore.");

    const config = world.config();
    const { signal } = world;
    const archive = await showing(world, "Checking", (onProgress) =>
      verifyArchive(path, { onProgress, signal }),
    );
    const { target, description, close } = await openTarget(config);
    try {
      await showing(world, "Restoring", (onProgress) =>
        restoreArchive(archive, target, { force: values.force, onProgress, signal }),
      );
    } finally {
      await close();
    }
    const { createdAt, source } = archive.header;
    const origin = `${source.store}, ${new Date(createdAt).toISOString()}`;
    return `Restored ${inWords(archive.counts)} (${origin}) into ${description}\n`;
  });
}

class UsageError extends Error {}

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function run(
  { usage, stopped }: typeof BACKUP,
  world: World,
  work: () => Promise<string>,
): Promise<ExitCode> {
  try {
    world.stdout.write(await work());
    return 0;
  } catch (error) {
    if (world.signal.aborted) {
      world.stderr.write(`${stopped}\n`);
      return 130;
    }
    if (error instanceof UsageError) {
      world.stderr.write(`${error.message}\n\n${usage}`);
      return 2;
    }
    world.stderr.write(`${startProblem(error)}\n`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

async function showing<T>(
  { stderr, now }: World,
  label: string,
  work: (onProgress: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const progress = new Progress(stderr, label, now);
  try {
    return await work((done, total) => progress.update(done, total));
  } finally {
    progress.end();
  }
}

function inWords({ conversations, turns, sessions, usage }: ArchiveCounts): string {
  return `${conversations} conversations, ${turns} turns, ${sessions} sessions and ${usage} model calls`;
}

/** ISO 8601's basic format: `20261121T090000Z`. */
function fileTime(now: number): string {
  return new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
}
