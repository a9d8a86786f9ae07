import { once } from "node:events";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Prompt } from "../../../src/cli/prompt.ts";

let input: PassThrough;
let output: PassThrough & { isTTY?: boolean };
let shown: string;
let prompt: Prompt;

beforeEach(() => {
  input = new PassThrough();
  output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  shown = "";
  output.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
  });
  prompt = new Prompt({ input, output, sign: "> ", history: ["older"], leaveHint: "Again to leave." });
});
afterEach(() => prompt.close());

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const UP = "\x1b[A";

describe("a message", () => {
  test.each([
    ["a line", "Hello\r", "Hello"],
    ["an edited line", "Hallo\x1b[D\x1b[D\x1b[D\x1b[D\x1b[3~e\r", "Hello"],
    ["a line of the history", `${UP}\r`, "older"],
    ["a paste of lines, edited at its end", "\x1b[200~a\nb\x1b[201~c\r", "a\nbc"],
    ["a line behind what Ctrl-C took back", `junk${CTRL_C}Hello\r`, "Hello"],
    ["a line behind a paste that Ctrl-C took back", `\x1b[200~a\nb\x1b[201~${CTRL_C}c\r`, "c"],
    ["a line behind one Ctrl-C", `${CTRL_C}Hello\r`, "Hello"],
  ])("is %s", async (_name, keys, message) => {
    const read = prompt.read();
    input.write(keys);
    expect(await read).toBe(message);
  });
});

test.each([
  ["Ctrl-D", CTRL_D],
  ["Ctrl-C twice", CTRL_C + CTRL_C],
])("%s leaves", async (_name, keys) => {
  const read = prompt.read();
  input.write(keys);
  expect(await read).toBeUndefined();
  expect(await prompt.read()).toBeUndefined();
});

test("two Ctrl-C with a key between them do not leave", async () => {
  const read = prompt.read();
  input.write(`${CTRL_C}x\x7f${CTRL_C}Still here\r`);
  expect(await read).toBe("Still here");
  expect(shown.match(/Again to leave\./g)).toHaveLength(2);
});

describe("while an answer is awaited", () => {
  test("Ctrl-C aborts the work, and nothing else", async () => {
    const work = prompt.during((signal) => once(signal, "abort"));
    input.write(CTRL_C);
    await work;
    const read = prompt.read();
    input.write("Next\r");
    expect(await read).toBe("Next");
  });

  test("keys stay hidden, and are kept for the next prompts", async () => {
    const before = shown;
    const typed = new Promise<void>((resolve) => {
      input.on("keypress", (text) => {
        if (text === "i") resolve();
      });
    });
    await prompt.during(async () => {
      input.write("One\rTwo\rThi");
      await typed;
    });
    expect(shown).toBe(before);
    expect(await prompt.read()).toBe("One");
    expect(await prompt.read()).toBe("Two");
    const read = prompt.read();
    input.write("rd\r");
    expect(await read).toBe("Third");
    expect(shown).toContain("> One\n");
  });
});
