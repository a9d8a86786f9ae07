import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { access, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { EndedTurn, Turn } from "../core/chat/turn.ts";
import { ConsistencyCheck } from "./consistency.ts";
import {
  ARCHIVE_FORMAT,
  ARCHIVE_VERSION,
  type ArchiveCounts,
  ArchiveError,
  type ArchiveHeader,
  encodeHeader,
  encodeRecord,
  encodeTrailer,
} from "./format.ts";
import type { BackupSource } from "./ports.ts";

export interface WriteOptions {
  /** The archive's file; it must not exist yet. */
  readonly path: string;
  readonly origin: ArchiveHeader["source"];
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Turns written so far, of about how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Gives up, and leaves no file behind. */
  readonly signal?: AbortSignal;
}

/**
 * Writes all that the source holds to an archive that only its owner may read. The file appears under
 * its name once it is whole and on the disk, or not at all.
 *
 * @throws ArchiveError when the file exists, when there is no room for it, or when the records contradict each other.
 */
export async function writeArchive(source: BackupSource, options: WriteOptions): Promise<ArchiveCounts> {
  const { path, signal } = options;
  if (await exists(path)) {
    throw new ArchiveError(`${path} exists already. Name another file, or remove that one.`);
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.${randomUUID()}.partial`;
  const check = new ConsistencyCheck();
  try {
    await pipeline(
      archiveLines(source, check, options),
      createGzip(),
      createWriteStream(partial, { flags: "wx", mode: 0o600, flush: true }),
      { signal },
    );
    await rename(partial, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    const message = `The disk has no room for ${path}, and nothing was left there. Make room, or name a file on another disk.`;
    throw new ArchiveError(message, { cause: error });
  } finally {
    await rm(partial, { force: true });
  }
  await syncFolder(dirname(path));
  return check.counts;
}

async function* archiveLines(
  source: BackupSource,
  check: ConsistencyCheck,
  { origin, now, onProgress }: WriteOptions,
): AsyncGenerator<string> {
  const hash = createHash("sha256");
  const hashed = (line: string) => {
    hash.update(line);
    return line;
  };
  const total = await source.countTurns();
  yield hashed(
    encodeHeader({
      type: "header",
      format: ARCHIVE_FORMAT,
      version: ARCHIVE_VERSION,
      createdAt: now,
      source: origin,
    }),
  );
  for await (const record of source.records()) {
    const archived = record.type === "turn" ? { ...record, turn: ended(record.turn) } : record;
    check.add(archived);
    yield hashed(encodeRecord(archived));
    onProgress?.(check.counts.turns, total);
  }
  check.end();
  yield encodeTrailer({ type: "trailer", ...check.counts, sha256: hash.digest("hex") });
}

/** A restored store has no process that runs the turn, and must not call a model of its own accord. */
function ended(turn: Turn): EndedTurn {
  if (turn.state !== "running") return turn;
  const { lease: _, ...rest } = turn;
  return {
    ...rest,
    state: "failed",
    error: {
      code: "unavailable",
      message: "A backup was taken in the middle of this turn, and restored. Send the message again.",
      retryable: true,
      meta: {},
    },
  };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Makes the new name in the folder survive a power cut, as `flush` does for the file. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
