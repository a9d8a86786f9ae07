import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { type Api, GrammyError } from "grammy";
import type { BotCommand, MessageEntity } from "grammy/types";
import { RateLimit } from "../../../bots/common/rate-limit.ts";
import { whileTyping } from "../../../bots/telegram/deliver.ts";
import { createLog, secretsOf } from "../../../bots/telegram/log.ts";
import { toMessages } from "../../../bots/telegram/messages.ts";
import { readSetting, SettingsMenu } from "../../../bots/telegram/settings.ts";

const TABLE = "a    | b\n-----+--\nlong |";

describe("Markdown", () => {
  /** The message's entities as their type, text and detail. */
  function format(markdown: string) {
    const [message = { text: "", entities: [] }] = toMessages(markdown);
    const detail = (entity: MessageEntity) =>
      entity.type === "text_link" ? [entity.url] : entity.type === "pre" ? [entity.language] : [];
    return [
      message.text,
      ...message.entities.map((entity) => [
        entity.type,
        message.text.slice(entity.offset, entity.offset + entity.length),
        ...detail(entity),
      ]),
    ];
  }

  test.each([
    ["# A *title*", ["A title", ["bold", "A title"], ["italic", "title"]]],
    ["**a `b` c**", ["a b c", ["bold", "a "], ["code", "b"], ["bold", " c"]]],
    ["[`a` *b*](https://x.org)", ["a b", ["text_link", "a b", "https://x.org"], ["italic", "b"]]],
    ['[a](/local "t")', ["a (/local)"]],
    ["<https://x.org> <mailto:a@x.org>", ["https://x.org mailto:a@x.org"]],
    [
      "[a][1]\n\n[1]: https://x.org\n[2]: https://y.org",
      ["a\n\n[2]: https://y.org", ["text_link", "a", "https://x.org"]],
    ],
    ["![alt](https://x.org/p.png)", ["alt", ["text_link", "alt", "https://x.org/p.png"]]],
    ["```js\nlet a;\n```", ["let a;", ["pre", "let a;", "js"]]],
    ["```Here it is:\ncode", ["Here it is:\ncode", ["pre", "Here it is:\ncode", undefined]]],
    [
      "- a\n  1. b\n\n     ```\n     c\n     ```\n- [x] d",
      ["• a\n   1. b\n\nc\n☑ d", ["pre", "c", undefined]],
    ],
    ["> a\n> > **b**", ["a\n\nb", ["blockquote", "a\n\nb"], ["bold", "b"]]],
    ["a^[1] ~~b~~ <b>c</b> &lt;", ["a^[1] b <b>c</b> <", ["strikethrough", "b"]]],
    ["a[^n]\n\n[^n]: note", ["a[n]\n\n[n] note"]],
    ["| a | b |\n|--|--|\n| **long** | |", [TABLE, ["pre", TABLE, undefined]]],
  ])("%j", (markdown, expected) => {
    expect(format(markdown)).toEqual(expected);
  });

  test("more entities than Telegram takes: links stay", () => {
    const [message] = toMessages(`${"**b** ".repeat(150)}[link](https://x.org)`);
    expect(message?.entities).toHaveLength(100);
    expect(message?.entities.at(-1)?.type).toBe("text_link");
  });

  test("nested beyond a parser's means it is plain text", () => {
    const [message] = toMessages(`${">".repeat(3_000)} deep`);
    expect(message?.text).toContain("deep");
  });

  test("nothing to see is no message", () => {
    for (const nothing of ["", "\n \n", "\u200b", "```\n```"]) expect(toMessages(nothing)).toEqual([]);
  });
});

describe("settings", () => {
  test.each([
    ["Europe/Madrid", { timezone: "Europe/Madrid" }],
    ["europe/madrid", { timezone: "Europe/Madrid" }],
    ["New York", { timezone: "America/New_York" }],
    ["UTC", { timezone: "UTC" }],
    ["es", { language: "es" }],
    ["pt-br", { language: "pt-BR" }],
    ["Atlantis", undefined],
    ["xx", undefined],
    ["+02:00", undefined],
    ["", undefined],
  ])("%j", (typed, expected) => expect(readSetting(typed)).toEqual(expected));

  /** The commands that Telegram keeps for each person. */
  function telegram() {
    const menus = new Map<number, BotCommand[]>();
    let reads = 0;
    const api = {
      getMyCommands: async ({ scope }: { scope: { chat_id: number } }) => {
        reads++;
        return menus.get(scope.chat_id) ?? [];
      },
      setMyCommands: async (commands: BotCommand[], { scope }: { scope: { chat_id: number } }) =>
        void menus.set(scope.chat_id, commands),
      deleteMyCommands: async ({ scope }: { scope: { chat_id: number } }) => void menus.delete(scope.chat_id),
    };
    return { api: api as unknown as Api, menus, reads: () => reads };
  }

  test("live in the person's own menu, where other processes find them", async () => {
    const { api, menus } = telegram();
    await new SettingsMenu(api).write(1, { timezone: "Asia/Tokyo" });
    expect(menus.get(1)).toContainEqual({
      command: "settings",
      description: "Time zone Asia/Tokyo, language automatic",
    });
    expect(await new SettingsMenu(api).read(1)).toEqual({ timezone: "Asia/Tokyo" });
    expect(await new SettingsMenu(api).read(2)).toEqual({});
    await new SettingsMenu(api).write(1, {});
    expect(menus.has(1)).toBe(false);
  });

  test("are read again after ten minutes", async () => {
    const { api, reads } = telegram();
    let now = 0;
    const menu = new SettingsMenu(api, () => now);
    await menu.read(1);
    now = 599_999;
    await menu.read(1);
    expect(reads()).toBe(1);
    now = 600_000;
    await menu.read(1);
    expect(reads()).toBe(2);
  });

  test("that nobody could have set are none", async () => {
    const { api, menus } = telegram();
    menus.set(1, [{ command: "settings", description: "Time zone Mars/Olympus, language xx" }]);
    expect(await new SettingsMenu(api).read(1)).toEqual({});
  });
});

test("the rate of messages goes by when they were sent", async () => {
  const limit = new RateLimit(2);
  const admit = async (userId: string, sentAt: number, count: number) => {
    const admissions: string[] = [];
    for (let i = 0; i < count; i++) admissions.push(await limit.admit(userId, sentAt));
    return admissions;
  };
  expect(await admit("a", 60_000, 4)).toEqual(["admitted", "admitted", "first_refusal", "refusal"]);
  expect(await admit("a", 120_000, 2)).toEqual(["admitted", "admitted"]);
  expect(await admit("b", 60_000, 1)).toEqual(["admitted"]);
});

test("no secret gets through the log, whatever it is part of", () => {
  const token = "123:AAbbCC";
  const lines: string[] = [];
  const log = createLog("debug", {
    secrets: secretsOf(token),
    out: { write: (line) => lines.push(line) },
  });
  const cause = new Error(`request to https://api.telegram.org/bot${token}/getMe failed`);
  log.error({ err: new Error("no", { cause }), url: `/bot${encodeURIComponent(token)}/x` }, `of ${token}`);
  log.warn(
    { err: new GrammyError(token, { ok: false, error_code: 1, description: token }, "m", { token }) },
    "x",
  );
  expect(lines).toHaveLength(2);
  expect(lines.join("")).not.toMatch(/AAbbCC/);
  expect(JSON.parse(lines[0] ?? "").msg).toBe("of [secret]");
});

describe("typing", () => {
  afterEach(() => void jest.useRealTimers());

  test("is shown for as long as the work takes, and failing to show it is no failure", async () => {
    jest.useFakeTimers();
    const shown: unknown[] = [];
    const api = {
      async sendChatAction(...args: unknown[]) {
        shown.push(args);
        throw new Error("no");
      },
    } as unknown as Api;
    const work = Promise.withResolvers<string>();
    const result = whileTyping(api, { chatId: 1, threadId: 2 }, () => work.promise);
    await jest.advanceTimersByTimeAsync(14_000);
    expect(shown).toEqual(Array(4).fill([1, "typing", { message_thread_id: 2 }]));
    work.resolve("done");
    expect(await result).toBe("done");
    await jest.advanceTimersByTimeAsync(60_000);
    expect(shown).toHaveLength(4);
  });
});
