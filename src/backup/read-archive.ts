import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { ConsistencyCheck } from "./consistency.ts";
import {
  type ArchiveCounts,
  type ArchivedRecord,
  ArchiveError,
  type ArchiveHeader,
  type ArchiveTrailer,
  decodeHeader,
  decodeLine,
} from "./format.ts";

/** Far above any turn, and a bound on what a damaged archive can make of memory. */
const MAX_LINE_BYTES = 64 * 1_048_576;
const LINE_FEED = 0x0a;

export interface ArchiveSummary {
  readonly header: ArchiveHeader;
  readonly counts: ArchiveCounts;
  /** Of all lines but the trailer; hexadecimal. */
  readonly sha256: string;
}

export interface ReadOptions {
  readonly signal?: AbortSignal;
  /** Bytes of the file read so far, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Waited for before the next record is read. `bytes`: the size of its line. */
  readonly onRecord?: (record: ArchivedRecord, bytes: number) => Promise<void> | undefined;
}

/**
 * Reads an archive from end to end, one line at a time in memory, and holds each line, their order,
 * the counts and the digest against what the format promises.
 *
 * @throws ArchiveError when anything is not as promised: records seen until then are not to be trusted.
 */
export async function readArchive(path: string, options: ReadOptions = {}): Promise<ArchiveSummary> {
  try {
    return await readLines(path, options);
  } catch (error) {
    throw archiveError(path, error);
  }
}

async function readLines(
  path: string,
  { signal, onProgress, onRecord }: ReadOptions,
): Promise<ArchiveSummary> {
  const { size } = await stat(path);
  const file = createReadStream(path, { signal });
  const unzipped = createGunzip();
  // Its errors reach the reader of `unzipped`, which they destroy.
  pipeline(file, unzipped, () => undefined);

  const hash = createHash("sha256");
  const check = new ConsistencyCheck();
  let header: ArchiveHeader | undefined;
  let trailer: ArchiveTrailer | undefined;
  for await (const line of splitLines(unzipped)) {
    if (trailer) throw new ArchiveError("It is damaged: something follows its end.");
    const text = line.toString();
    if (!header) {
      header = decodeHeader(text);
    } else {
      const decoded = decodeLine(text);
      if (decoded.type === "trailer") {
        trailer = decoded;
        continue;
      }
      check.add(decoded);
      await onRecord?.(decoded, line.length);
    }
    hash.update(line).update("\n");
    onProgress?.(file.bytesRead, size);
  }
  if (!header || !trailer) throw new ArchiveError("It is cut short.");
  check.end();

  const { counts } = check;
  const sha256 = hash.digest("hex");
  const whole =
    trailer.sha256 === sha256 &&
    trailer.conversations === counts.conversations &&
    trailer.turns === counts.turns &&
    trailer.sessions === counts.sessions &&
    trailer.usage === counts.usage;
  if (!whole) throw new ArchiveError("It is damaged: its contents are not those that it was made with.");
  return { header, counts, sha256 };
}

async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]);
      parts = [];
      bytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    bytes += chunk.length - start;
    if (bytes > MAX_LINE_BYTES) throw new ArchiveError("It is damaged: a line has no end.");
  }
  if (bytes > 0) throw new ArchiveError("It is cut short.");
}

function archiveError(path: string, error: unknown): unknown {
  const code = String((error as NodeJS.ErrnoException).code);
  if (code === "ENOENT") return new ArchiveError(`There is no file ${path}.`);
  if (code === "EISDIR") return new ArchiveError(`${path} is a folder. Name the archive in it.`);
  // A file cut short ends in the middle of its compressed data (Z_BUF_ERROR).
  if (code === "Z_BUF_ERROR") return new ArchiveError(`${path} can't be restored. It is cut short.`);
  if (code.startsWith("Z_")) {
    return new ArchiveError(`${path} can't be restored. It is damaged, or not a Parley backup.`);
  }
  if (!(error instanceof ArchiveError)) return error;
  return new ArchiveError(`${path} can't be restored. ${error.message}`, { cause: error.cause });
}
