import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { History, historyPath } from "../../../src/cli/history.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-history-"));
  path = join(folder, "state", "parley", "history");
});
afterEach(() => rm(folder, { recursive: true }));

test("keeps lines between sessions, newest first, for its user alone", async () => {
  const history = new History(path);
  expect(history.load()).toEqual([]);
  history.add("one");
  history.add("two\nlines");
  expect(new History(path).load()).toEqual(["lines", "two", "one"]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("is bounded", async () => {
  path = join(folder, "history");
  const lines = Array.from({ length: 2001 }, (_, index) => `line ${index}`);
  await writeFile(path, `${lines.join("\n")}\n`);
  const loaded = new History(path).load();
  expect([loaded.length, loaded[0], loaded.at(-1)]).toEqual([1000, "line 2000", "line 1001"]);
  expect((await readFile(path, "utf8")).split("\n")).toHaveLength(1001);
});

test("does without a file that can't be written", async () => {
  const history = new History(join(folder, "history", "\0"));
  history.add("one");
  expect(history.load()).toEqual([]);
});

test.each([
  [{ XDG_STATE_HOME: "/state" }, "/state/parley/history"],
  [{ XDG_STATE_HOME: "relative" }, join(homedir(), ".local/state/parley/history")],
  [{}, join(homedir(), ".local/state/parley/history")],
])("lies where %j says", (env, expected) => {
  expect(historyPath(env)).toBe(expected);
});

test("does without a home", () => {
  const path = historyPath({}, () => {
    throw new Error("uv_os_homedir returned ENOENT");
  });
  const history = new History(path);
  history.add("Hello");
  expect(history.load()).toEqual([]);
});
