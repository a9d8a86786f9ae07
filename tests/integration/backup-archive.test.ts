import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeEach, expect, test } from "@jest/globals";
import type { BackupSource } from "../../src/backup/ports.ts";
import { Progress } from "../../src/backup/progress.ts";
import { restoreArchive, verifyArchive } from "../../src/backup/restore.ts";
import { writeArchive } from "../../src/backup/write-archive.ts";
import {
  type BackupStore,
  everything,
  fill,
  ids,
  openSqliteBackupStore,
  T0,
} from "../support/backup-stores.ts";
import { describeSmallDisk } from "../support/small-disk.ts";

let folder: string;
let path: string;
let store: BackupStore;
let other: BackupStore;

const options = () => ({ path, origin: { store: "sqlite", schema: 1 }, now: T0 });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-archive-"));
  path = join(folder, "a", "backup.jsonl.gz");
  store = await openSqliteBackupStore();
  other = await openSqliteBackupStore();
});
afterEach(async () => {
  await store.close();
  await other.close();
  await rm(folder, { recursive: true });
});

/** The archive's lines after `change`, packed again; with a digest that fits when `signed`. */
async function rewrite(change: (lines: string[]) => string[], signed = false): Promise<void> {
  const lines = change(
    gunzipSync(await readFile(path))
      .toString()
      .trimEnd()
      .split("\n"),
  );
  if (signed) {
    const hash = createHash("sha256");
    for (const line of lines.slice(0, -1)) hash.update(`${line}\n`);
    const trailer = JSON.parse(lines.pop() ?? "");
    lines.push(JSON.stringify({ ...trailer, sha256: hash.digest("hex") }));
  }
  await writeFile(path, gzipSync(lines.map((line) => `${line}\n`).join("")));
}

test("an archive is lines of Extended JSON that only its owner may read", async () => {
  await fill(store);
  await writeArchive(store.source, options());
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(folder, "a"))).toEqual(["backup.jsonl.gz"]);
  const lines = gunzipSync(await readFile(path))
    .toString()
    .trimEnd()
    .split("\n");
  const [header, , turn] = lines.map((line) => JSON.parse(line));
  expect(header).toMatchObject({
    type: "header",
    format: "parley-backup",
    version: { $numberInt: "2" },
    createdAt: { $date: { $numberLong: String(T0) } },
  });
  expect(turn).toMatchObject({ type: "turn", turn: { seq: { $numberInt: "1" } } });
  expect(lines).toHaveLength(4 + 125 + 2 + 5 + 2);
});

test("SQLite is read as it was at one moment, sessions included", async () => {
  await fill(store);
  const types: string[] = [];
  for await (const { type } of store.source.records()) {
    if (types.length === 0) await store.sessions.bind("later", ids.next(), T0);
    types.push(type);
  }
  expect(types.filter((type) => type === "session")).toHaveLength(2);
});

test("a file that exists is not overwritten", async () => {
  await writeArchive(store.source, options());
  const before = await readFile(path);
  await expect(writeArchive(store.source, options())).rejects.toThrow(/exists already/);
  expect(await readFile(path)).toEqual(before);
});

test("a backup that fails or is stopped leaves no file behind, whole or not", async () => {
  await fill(store);
  const stopping = new AbortController();
  const stopped = writeArchive(store.source, {
    ...options(),
    signal: stopping.signal,
    onProgress: () => stopping.abort(),
  });
  await expect(stopped).rejects.toThrow(/abort/);
  const failing: BackupSource = {
    countTurns: () => store.source.countTurns(),
    async *records() {
      for await (const record of store.source.records()) {
        if (record.type === "turn") throw new Error("The disk is gone");
        yield record;
      }
    },
  };
  await expect(writeArchive(failing, options())).rejects.toThrow("The disk is gone");
  expect(await readdir(join(folder, "a"))).toEqual([]);
  await writeArchive(store.source, options());
});

describeSmallDisk("a full disk", (disk) => {
  afterAll(() => disk.unmount());

  test("has the advice told, and keeps nothing of the archive", async () => {
    await fill(store);
    disk.fill(0);
    const archive = writeArchive(store.source, { ...options(), path: join(disk.folder, "x") });
    await expect(archive).rejects.toThrow(/no room for .*Make room/);
    expect(await readdir(disk.folder)).toEqual(["filler"]);
  });
});

test("a store whose records contradict each other is not backed up", async () => {
  await fill(store);
  const gap: BackupSource = {
    countTurns: () => store.source.countTurns(),
    async *records() {
      for await (const record of store.source.records()) {
        if (record.type === "turn" && record.turn.seq === 7) continue;
        yield record;
      }
    },
  };
  await expect(writeArchive(gap, options())).rejects.toThrow(/Turn 8 .* does not follow/);
});

interface Damage {
  readonly what: string;
  readonly reason: RegExp;
  readonly change: (lines: string[]) => string[];
  /** Whether the digest is made to fit. */
  readonly signed?: boolean;
}

const replacing = (from: string, to: string) => (lines: string[]) =>
  lines.map((line) => line.replace(from, to));

test("an archive of version 1, which had no ledger, is restored", async () => {
  await fill(store);
  await writeArchive(store.source, options());
  await rewrite(
    (lines) =>
      lines
        .filter((line) => !line.startsWith('{"type":"usage"'))
        .map((line) =>
          line
            .replace('"version":{"$numberInt":"2"}', '"version":{"$numberInt":"1"}')
            .replace(/"usage":\{"\$numberInt":"5"\},/, "")
            .replace('"userId":"7",', ""),
        ),
    true,
  );
  const archive = await verifyArchive(path);
  expect(archive.counts).toEqual({ conversations: 4, turns: 125, sessions: 2, usage: 0 });
  await restoreArchive(archive, other.target);
  const { seen, rows } = await everything(other, ["ann", "bob"]);
  expect({ seen: seen.length, rows }).toEqual({ seen: 4, rows: [] });
});

const damages: Damage[] = [
  { what: "a changed word", reason: /contents/, change: replacing("Lisbon ☂", "Porto") },
  { what: "a line taken out", reason: /contradict/, change: (lines) => lines.toSpliced(3, 1) },
  { what: "a session taken out", reason: /contents/, change: (lines) => lines.toSpliced(-2, 1) },
  {
    what: "a session taken out",
    reason: /contents/,
    change: (lines) => lines.toSpliced(-2, 1),
    signed: true,
  },
  { what: "a turn taken out", reason: /contradict/, change: (lines) => lines.toSpliced(40, 1), signed: true },
  {
    what: "two lines swapped",
    reason: /contradict/,
    change: (lines) => lines.toSpliced(40, 2, lines[41] ?? "", lines[40] ?? ""),
    signed: true,
  },
  {
    what: "an unknown field",
    reason: /damaged/,
    change: replacing('"owner"', '"color":"red","owner"'),
    signed: true,
  },
  { what: "no trailer", reason: /cut short/, change: (lines) => lines.slice(0, -1) },
  {
    what: "something after the trailer",
    reason: /follows its end/,
    change: (lines) => [...lines, lines[1] ?? ""],
  },
  { what: "a line that is no JSON", reason: /damaged/, change: (lines) => lines.toSpliced(2, 1, "{") },
  { what: "no line", reason: /cut short/, change: () => [] },
  {
    what: "a newer version",
    reason: /version 3.*up to 2/,
    change: replacing('"version":{"$numberInt":"2"}', '"version":{"$numberInt":"3"}'),
    signed: true,
  },
  {
    what: "another format",
    reason: /not a Parley/,
    change: replacing("parley-backup", "other"),
    signed: true,
  },
];

test.each(damages)("refused: $what, digest mended: $signed", async ({ reason, change, signed }) => {
  await fill(store);
  await writeArchive(store.source, options());
  await verifyArchive(path);
  await rewrite(change, signed);
  await expect(verifyArchive(path)).rejects.toThrow(reason);
});

test("refused at whatever byte it was cut, or where bytes were changed", async () => {
  await fill(store);
  await writeArchive(store.source, options());
  const whole = await readFile(path);
  for (const length of [0, 1, 9, 10, 200, whole.length / 2, whole.length - 8, whole.length - 1]) {
    await writeFile(path, whole.subarray(0, length));
    await expect(verifyArchive(path)).rejects.toThrow(/cut short/);
  }
  for (const at of [0, 30, whole.length / 3, whole.length / 2, whole.length - 6].map(Math.floor)) {
    const changed = Buffer.from(whole);
    // One byte alone may name another, equal place to copy from: the same contents, packed differently.
    const part = changed.subarray(at, at + 16);
    part.set(part.map((byte) => byte ^ 0xff));
    await writeFile(path, changed);
    await expect(verifyArchive(path)).rejects.toThrow(/can't be restored/);
  }
  await writeFile(path, "no gzip at all");
  await expect(verifyArchive(path)).rejects.toThrow(/not a Parley backup/);
  await expect(verifyArchive(join(folder, "none"))).rejects.toThrow(/There is no file/);
});

test("an archive that is replaced after it was verified is not passed off as restored", async () => {
  await fill(store);
  await writeArchive(store.source, options());
  const archive = await verifyArchive(path);
  await rewrite((lines) => lines.map((line) => line.replace("Lisbon ☂", "Porto")), true);
  await expect(restoreArchive(archive, other.target)).rejects.toThrow(/changed during the restore/);
});

test("a stopped restore stops", async () => {
  await fill(store);
  await writeArchive(store.source, options());
  const restored = restoreArchive(await verifyArchive(path), other.target, { signal: AbortSignal.abort() });
  await expect(restored).rejects.toThrow(/abort/);
  expect(await other.target.isEmpty()).toBe(true);
});

test("progress: a bar on a terminal, now and then a line elsewhere", () => {
  let now = 0;
  const shown = (isTTY: boolean) => {
    const written: string[] = [];
    const progress = new Progress(
      { isTTY, write: (text: string) => written.push(text) > 0 },
      "Doing",
      () => now,
    );
    for (const done of [0, 50, 120]) {
      progress.update(done, 100);
      now += isTTY ? 60 : 3_000;
    }
    progress.update(99, 100);
    progress.end();
    return written;
  };
  expect(shown(true)).toEqual([`\rDoing [${"#".repeat(30)}] 100 %`, "\r\u001b[K"]);
  expect(shown(false)).toEqual(["Doing: 100 %\n"]);
});
