import { PassThrough } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { tableLines } from "../../../src/cli/list.ts";
import { localeMetadata, toLanguageTag } from "../../../src/cli/locale.ts";
import { safeJson, safeLine, safeText } from "../../../src/cli/safe-text.ts";
import { relativeTime } from "../../../src/cli/times.ts";
import { transcript } from "../../../src/cli/transcript.ts";
import { cutToWidth, textWidth, wrapWords } from "../../../src/cli/width.ts";
import { Conversation, Conversation_Role } from "../../../src/gen/acai/chat/chat";
import { Timestamp } from "../../../src/gen/google/protobuf/timestamp";

describe("hostile text", () => {
  const everyControl = Array.from({ length: 160 }, (_, code) => String.fromCharCode(code)).join("");

  test("loses all control characters but tab and newline", () => {
    // Letters between, so that no two make up a sequence.
    const text = [...everyControl].filter((char) => /\p{Cc}/u.test(char)).join(" ");
    expect(safeText(text).replaceAll(" ", "")).toBe("\t\n");
  });

  test.each([
    ["\x1b[31mred\x1b[0m", "red"],
    ["\u009b2Jgone", "gone"],
    ["\x1b]0;title\x07shown", "shown"],
    ["\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"],
    ["\x1b[\x1b[31m2J", "[2J"],
    ["ok\rOVER", "okOVER"],
    ["a\r\nb", "a\nb"],
    ["façade 日本 👍", "façade 日本 👍"],
  ])("%j is printed as %j", (text, printed) => {
    expect(safeText(text)).toBe(printed);
  });

  test("fits on one line, in its own direction", () => {
    expect(safeLine(" a\n\tb\r\nc \u202egnp.exe\u202c")).toBe("a b c gnp.exe");
  });

  test("is the same JSON, without a control character in it", () => {
    const json = safeJson({ text: everyControl });
    expect(json.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse(json)).toEqual({ text: everyControl });
  });
});

describe("width", () => {
  test.each([
    ["abc", 3],
    ["日本語", 6],
    ["한국", 4],
    ["é", 1],
    ["e\u0301", 1],
    ["👍🏽", 2],
    ["👨‍👩‍👧", 2],
    ["❤️", 2],
    ["\u200b", 0],
  ])("of %j is %i", (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  test.each([
    ["abcdef", 6, "abcdef"],
    ["abcdef", 5, "abcd…"],
    ["abc def", 5, "abc…"],
    ["日本語", 5, "日本…"],
    ["日本語", 4, "日…"],
    ["a👨‍👩‍👧b", 3, "a…"],
  ])("%j cut to %i is %j", (text, columns, cut) => {
    expect(cutToWidth(text, columns)).toBe(cut);
    expect(textWidth(cut)).toBeLessThanOrEqual(columns);
  });

  test.each([
    ["one two three", 7, "one two\nthree"],
    ["one two three", 8, "one two\nthree"],
    ["abcdefgh ij", 4, "abcdefgh\nij"],
    ["a\n\n- b c", 3, "a\n\n- b\nc"],
    ["    code that is long", 6, "    code that is long"],
    ["日本 語", 5, "日本\n語"],
    ["no terminal, no width", undefined, "no terminal, no width"],
  ])("%j wrapped to %s columns", (text, columns, wrapped) => {
    expect(wrapWords(text, columns)).toBe(wrapped);
  });
});

describe("locale", () => {
  test.each([
    ["en_GB.UTF-8", "en-GB"],
    ["ca_ES@valencia", "ca-ES"],
    ["pt", "pt"],
    ["zh_Hant_TW.UTF-8", "zh-Hant-TW"],
    ["C", ""],
    ["C.UTF-8", ""],
    ["POSIX", ""],
    ["", ""],
    ["!?", ""],
  ])("%j is %j", (posix, tag) => {
    expect(toLanguageTag(posix)).toBe(tag);
  });

  test.each([
    [{ LC_ALL: "de_DE", LC_MESSAGES: "fr_FR", LANG: "es_ES" }, "de-DE"],
    [{ LC_ALL: "", LC_MESSAGES: "fr_FR", LANG: "es_ES" }, "fr-FR"],
    [{ LANG: "es_ES" }, "es-ES"],
    [{}, ""],
  ])("of %j is %j, and nothing names a session", (env, locale) => {
    const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
    expect(localeMetadata(env)).toEqual({ platform: "", userId: "", chatId: "", timezone: timeZone, locale });
  });
});

test.each([
  [-5_000, "just now"],
  [59_000, "just now"],
  [60_000, "1 min ago"],
  [3_599_000, "59 min ago"],
  [3_600_000, "1 h ago"],
  [86_399_000, "23 h ago"],
  [86_400_000, "1 day ago"],
  [3 * 86_400_000, "3 days ago"],
  [7 * 86_400_000, "2026-11-14"],
])("what was %i ms ago is %j", (age, words) => {
  const now = new Date(2026, 10, 21, 12).getTime();
  expect(relativeTime(Timestamp.fromDate(new Date(now - age)), now)).toBe(words);
});

describe("the table", () => {
  const now = Date.parse("2026-11-21T12:00:00Z");
  const rows = [
    { title: "Weather in Barcelona", messageCount: 4 },
    {
      title: "\x1b[31mRed\nand 日本の祝日は何ですか、教えてください",
      messageCount: 12_345_678_901 % 2 ** 32,
    },
  ].map((row, index) =>
    Conversation.create({
      ...row,
      id: String(index).repeat(24),
      updatedAt: Timestamp.fromDate(new Date(now - 300_000)),
    }),
  );

  test("shows titles whole when it goes to no terminal", () => {
    expect(tableLines(rows, now)).toEqual([
      "ID                        TITLE                                           MESSAGES  UPDATED",
      "000000000000000000000000  Weather in Barcelona                                   4  5 min ago",
      "111111111111111111111111  Red and 日本の祝日は何ですか、教えてください  3755744309  5 min ago",
    ]);
  });

  test.each([60, 66, 70, 80])("fits a terminal of %i columns", (columns) => {
    const lines = tableLines(rows, now, columns);
    expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(Math.max(columns, 63));
    expect(lines[2]).toContain("…");
  });
});

test("a transcript says who said what, and which tools were used how", () => {
  const conversation = Conversation.create({
    id: "1",
    title: "A\x07 title",
    messageCount: 1,
    timestamp: Timestamp.fromDate(new Date(2026, 10, 21, 9, 5)),
    messages: [
      { role: Conversation_Role.USER, content: "Hi \x1b[2Jthere" },
      {
        role: Conversation_Role.ASSISTANT,
        content: "Well\nmet",
        toolCalls: [
          {
            name: "t",
            arguments: '{"a":\n1}',
            durationMs: 7,
            outcome: { oneofKind: "result", result: '{"b":"\x1b"}' },
          },
          { name: "u", arguments: "", durationMs: 0, outcome: { oneofKind: "result", result: '{"c":[1]}' } },
          { name: "v", arguments: "{}", durationMs: 1, outcome: { oneofKind: "error", error: "No\nv" } },
        ],
      },
    ],
  });
  const head = "A title\n1 · 1 message · started 2026-11-21 09:05\n\nYou · \nHi there\n\nParley · \n";
  expect(transcript(conversation, new PassThrough())).toBe(
    `${head}  t {"a": 1} → ok, 7 ms\n  u  → ok, 0 ms\n  v {} → error: No v, 1 ms\nWell\nmet`,
  );
  expect(transcript(conversation, new PassThrough(), true)).toBe(
    `${head}  t {"a": 1} → ok, 7 ms\n    {"b":""}\n  u  → ok, 0 ms\n` +
      '    {\n      "c": [\n        1\n      ]\n    }\n  v {} → error: No v, 1 ms\nWell\nmet',
  );
});
