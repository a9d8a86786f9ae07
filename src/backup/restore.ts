import { type ArchivedRecord, ArchiveError } from "./format.ts";
import type { BackupTarget, RestoreBatch } from "./ports.ts";
import { type ArchiveSummary, type ReadOptions, readArchive } from "./read-archive.ts";

/**
 * A batch is written when it has this much of the archive. Small, so that its objects die young: with
 * batches of 1 MiB the garbage collector lets the process grow to twice the memory.
 */
const BATCH_BYTES = 131_072;

export interface VerifiedArchive extends ArchiveSummary {
  readonly path: string;
}

export type VerifyOptions = Pick<ReadOptions, "signal" | "onProgress">;

/** Reads the whole archive, and writes nothing. @throws ArchiveError when it can't be restored. */
export async function verifyArchive(path: string, options: VerifyOptions = {}): Promise<VerifiedArchive> {
  return { path, ...(await readArchive(path, options)) };
}

export interface RestoreOptions {
  /** Clears a target that is not empty, instead of refusing it. */
  readonly force?: boolean;
  /** Turns restored so far, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

/**
 * Writes a verified archive into the target. When that is cut short, the target holds a part: it is not
 * empty any more, so that only `force` restores into it again.
 *
 * @throws ArchiveError when the target is not empty, or when the file is not what was verified.
 */
export async function restoreArchive(
  archive: VerifiedArchive,
  target: BackupTarget,
  { force = false, onProgress, signal }: RestoreOptions = {},
): Promise<void> {
  if (!(await target.isEmpty())) {
    if (!force) {
      throw new ArchiveError(
        "The store is not empty, and a restore would mix with what it holds. Back it up, then restore with FORCE=1 (--force without make): that removes all it holds first.",
      );
    }
    await target.clear();
  }
  const batches = new Batches(target);
  const { sha256 } = await readArchive(archive.path, {
    signal,
    async onRecord(record, bytes) {
      if (await batches.add(record, bytes)) onProgress?.(batches.turns, archive.counts.turns);
    },
  });
  if (sha256 !== archive.sha256) {
    throw new ArchiveError(
      `${archive.path} was changed during the restore. Restore again with FORCE=1 (--force without make).`,
    );
  }
  await batches.flush();
  onProgress?.(batches.turns, archive.counts.turns);
}

class Batches {
  readonly #target: BackupTarget;
  #batch = newBatch();
  #bytes = 0;
  /** Of the conversation whose turns are being added. */
  #turnCount = 0;
  /** Turns written. */
  turns = 0;

  constructor(target: BackupTarget) {
    this.#target = target;
  }

  /** Returns whether a batch was written. */
  async add(record: ArchivedRecord, bytes: number): Promise<boolean> {
    switch (record.type) {
      case "conversation":
        this.#turnCount = record.conversation.turnCount;
        this.#batch.conversations.push(record.conversation);
        break;
      case "turn":
        this.#batch.turns.push({ turn: record.turn, isLast: record.turn.seq === this.#turnCount });
        break;
      case "session":
        this.#batch.sessions.push(record.session);
        break;
      case "usage":
        this.#batch.usage.push(record.row);
    }
    this.#bytes += bytes;
    if (this.#bytes < BATCH_BYTES) return false;
    await this.flush();
    return true;
  }

  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = newBatch();
    this.#bytes = 0;
    await this.#target.insert(batch);
    this.turns += batch.turns.length;
  }
}

function newBatch() {
  return { conversations: [], turns: [], sessions: [], usage: [] } as Growing<RestoreBatch>;
}

type Growing<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Item[] : never };
