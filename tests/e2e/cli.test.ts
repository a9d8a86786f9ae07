import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { Aimock, type ChatRequest } from "../support/aimock.ts";
import { type CliOptions, runCli, runCliUnread, SCRIPT, TerminalCli } from "../support/cli.ts";
import { freePort } from "../support/free-port.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { describeWith } from "../support/system-program.ts";

const isTitle = ({ messages }: ChatRequest) => messages[0]?.content?.startsWith("Name the subject") ?? false;
const says = (question: string) => (request: ChatRequest) =>
  !isTitle(request) && request.messages.at(-1)?.content === question;

let aimock: Aimock;
let server: RunningServer;
let cli: CliOptions;

beforeAll(async () => {
  aimock = await Aimock.start();
  aimock.always(isTitle, { text: "Greetings" });
  aimock.always(says("Hello"), { text: "Hello, you." });
  aimock.always(says("And again"), { text: "Again, hello." });
  server = await startServer({
    env: { OPENAI_BASE_URL: aimock.baseUrl, MAX_MESSAGE_CHARS: "60", SHUTDOWN_GRACE_SECONDS: "0" },
  });
  cli = { url: server.url };
});

afterAll(async () => {
  await server.stop();
  await aimock.close();
});

/** Where no server listens. */
async function unusedUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}

async function startConversation(message = "Hello"): Promise<string> {
  const { stdout } = await runCli(["ask", "--json", "-m", message], cli);
  return JSON.parse(stdout).conversation_id;
}

describe("ask", () => {
  test("-m prints the reply alone on standard output, id and title beside it", async () => {
    const { code, stdout, stderr } = await runCli(["ask", "-m", "Hello"], cli);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Hello, you.\n" });
    expect(stderr).toMatch(/^[0-9a-f]{24} · Greetings\n$/);
  });

  test("standard input is one message", async () => {
    const sent = aimock.requests.length;
    aimock.always(says("two\n  lines"), { text: "Seen." });
    const { code, stdout } = await runCli(["ask"], { ...cli, input: "two\n  lines\n" });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Seen.\n" });
    expect(aimock.requests.slice(sent).map(({ body }) => body.messages.at(-1)?.content)).toContain(
      "two\n  lines",
    );
  });

  test("an id goes on with its conversation", async () => {
    const id = await startConversation();
    const sent = aimock.requests.length;
    const { code, stdout, stderr } = await runCli(["ask", id, "-m", "And again"], cli);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "Again, hello.\n", stderr: "" });
    const asked = aimock.requests[sent]?.body.messages.filter(({ role }) => role !== "system");
    expect(asked?.map(({ content }) => content)).toEqual(["Hello", "Hello, you.", "And again"]);
  });

  test("--json prints the response", async () => {
    const { stdout } = await runCli(["--json", "ask", "-m", "Hello"], cli);
    expect(JSON.parse(stdout)).toEqual({
      conversation_id: expect.stringMatching(/^[0-9a-f]{24}$/),
      title: "Greetings",
      reply: "Hello, you.",
    });
  });

  test("what is said can't control the terminal", async () => {
    aimock.always(says("Be hostile"), { text: "a\x1b[2Jb\x1b]0;title\x07c\u009b31md\re\n\tf" });
    const { stdout } = await runCli(["ask", "-m", "Be hostile"], cli);
    expect(stdout).toBe("abcde\n\tf\n");
  });

  test.each([
    ["no message on standard input", ["ask"], "", 2, "The message is empty"],
    ["a blank message", ["ask", "-m", " "], "", 2, "The message is empty"],
    ["too much on standard input", ["ask"], "x".repeat(1_048_577), 2, "larger than 1048576 bytes"],
    ["a message in the place of the id", ["ask", "Hello"], "", 2, 'parley ask -m "text"'],
    ["an unknown id", ["ask", "0".repeat(24), "-m", "Hi"], "", 1, "parley list"],
  ])("%s", async (_name, args, input, code, words) => {
    const result = await runCli(args, { ...cli, input });
    expect(result).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(words) });
  });
});

describe("list and show", () => {
  test("a conversation is listed, and shown with its tool calls", async () => {
    aimock.always(says("Which day is it?"), {
      toolCalls: [
        { name: "get_datetime", arguments: { timezone: "Europe/Madrid" } },
        { name: "get_datetime", arguments: { timezone: "Mars" } },
      ],
    });
    aimock.always(({ messages }) => messages.at(-1)?.role === "tool", { text: "A good one." });
    const id = await startConversation("Which day is it?");

    const listed = await runCli(["list", "--limit", "1"], cli);
    expect(listed.code).toBe(0);
    expect(listed.stdout.split("\n")).toEqual([
      expect.stringMatching(/^ID +TITLE +MESSAGES +UPDATED$/),
      expect.stringMatching(new RegExp(`^${id} {2}Greetings +2 {2}just now$`)),
      "",
    ]);

    const shown = await runCli(["show", id], cli);
    expect(shown.code).toBe(0);
    const time = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d";
    expect(shown.stdout).toMatch(
      new RegExp(
        [
          "^Greetings",
          `${id} · 2 messages · started ${time}`,
          "",
          `You · ${time}`,
          "Which day is it\\?",
          "",
          `Parley · ${time}`,
          '  get_datetime {"timezone":"Europe/Madrid"} → ok, \\d+ ms',
          '  get_datetime {"timezone":"Mars"} → error: .+, \\d+ ms',
          "A good one.\n$",
        ].join("\n"),
      ),
    );
    const full = await runCli(["show", id, "--tools"], cli);
    expect(full.stdout).toMatch(/^ {6}"timezone": "Europe\/Madrid"/m);
  });

  test("--json speaks the contract's names", async () => {
    const id = await startConversation();
    const listed = JSON.parse((await runCli(["list", "--json", "--limit", "1"], cli)).stdout);
    expect(listed).toEqual([expect.objectContaining({ id, message_count: 2, messages: [] })]);
    const shown = JSON.parse((await runCli(["show", id, "--json"], cli)).stdout);
    expect(shown.messages.map(({ role, content }: Record<string, unknown>) => [role, content])).toEqual([
      ["USER", "Hello"],
      ["ASSISTANT", "Hello, you."],
    ]);
  });

  test("a reader that has seen enough is no error", async () => {
    await startConversation();
    expect(await runCliUnread(["list"], cli)).toEqual({ code: 0, stderr: "" });
  });
});

describe("stats", () => {
  test("shows calls, tokens and costs, with bars", async () => {
    const model = await Aimock.start();
    model.always(isTitle, { text: "Greetings", usage: { prompt_tokens: 1_000, completion_tokens: 100 } });
    model.always(says("Hello"), { text: "Hi.", usage: { prompt_tokens: 10_000, completion_tokens: 1_000 } });
    const spent = await startServer({ env: { OPENAI_BASE_URL: model.baseUrl } });
    const client = { url: spent.url };
    const run = async (...args: string[]) => (await runCli(["stats", ...args], client)).stdout.split("\n");
    try {
      const nothing = await runCli(["stats"], client);
      expect(nothing).toMatchObject({ code: 0, stdout: "" });
      expect(nothing.stderr).toMatch(/^No model was called from [-\d]+ 00:00 to [-\d]+ \d\d:00 \(UTC\)\.$/m);
      await runCli(["ask", "-m", "Hello"], client);
      await runCli(["ask", "-m", "An unscripted question"], client);

      expect(await run("--by", "model", "operation")).toEqual([
        expect.stringMatching(/^Model calls from /),
        "",
        "MODEL              OPERATION  CALLS  FAILED   INPUT  OUTPUT         COST",
        "openai/gpt-5-mini  reply          2       1  10,000   1,000  $0.0045 + ?",
        "openai/gpt-5-mini  title          2       0   2,000     200      $0.0009",
        "TOTAL                             4       1  12,000   1,200  $0.0054 + ?",
        "",
      ]);
      const [, , head, day] = await run();
      expect(head).toBe("DAY         CALLS  FAILED   INPUT  OUTPUT         COST");
      expect(day).toMatch(
        /^\d{4}-\d\d-\d\d {6}4 {7}1 {2}12,000 {3}1,200 {2}\$0\.0054 \+ \? {2}█+[▏▎▍▌▋▊▉]?$/,
      );

      const json = JSON.parse((await run("--by", "operation", "--operation", "title", "--json")).join(""));
      expect(json.rows).toEqual([
        expect.objectContaining({ operation: "title", calls: "2", cost_usd: "0.0009" }),
      ]);
      const noted = await runCli(["stats"], client);
      expect(noted.stderr).toContain("Of 1 of 4 calls the cost is not known");
    } finally {
      await spent.stop();
      await model.close();
    }
  });

  test("--days counts back from --to, whose midnight begins no day", async () => {
    const { stdout } = await runCli(["stats", "--json", "--days", "7", "--to", "2026-11-08"], cli);
    expect(JSON.parse(stdout)).toMatchObject({ from: "2026-11-01T00:00:00Z", to: "2026-11-08T00:00:00Z" });
  });

  test("takes only what it knows", async () => {
    expect(await runCli(["stats", "--by", "week"], cli)).toMatchObject({ code: 2 });
    expect(await runCli(["stats", "--from", "yesterday"], cli)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("It must be a day such as 2026-11-01"),
    });
    expect(await runCli(["stats", "--from", "9000-01-01"], cli)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("It must be in the past."),
    });
    expect(await runCli(["stats", "--days", "366"], cli)).toMatchObject({ code: 0 });
    expect(await runCli(["stats", "--days", "367"], cli)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("It must be at most 366; ask for earlier days with --from and --to."),
    });
  });
});

describe("what goes wrong", () => {
  test.each([
    ["a bad URL", ["list", "--url", "localhost:8080"], 2, "It must be an http or https URL"],
    ["an unknown id", ["show", "f".repeat(24)], 1, "There is no such conversation"],
    ["a bad limit", ["list", "--limit", "0"], 2, "a whole number of at least 1"],
    ["an unknown command", ["liszt"], 2, "Did you mean list?"],
    ["no command", [], 2, "Usage: parley"],
  ])("%s", async (_name, args, code, words) => {
    const result = await runCli(args, cli);
    expect(result).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(words) });
  });

  test("no server", async () => {
    const url = await unusedUrl();
    expect(await runCli(["ask", "-m", "Hello"], { url })).toEqual({
      code: 1,
      stdout: "",
      stderr: `error: The server at ${url} is not running. Start it with: make run\n`,
    });
    const { stderr } = await runCli(["list", "--json", "--url", url], cli);
    expect(JSON.parse(stderr)).toMatchObject({ code: "unavailable" });
  });

  test("a server that stays silent is given as long as its turns may take", async () => {
    aimock.always(says("Hang on"), { raw: [], ending: "hang" });
    const env = { TURN_TIMEOUT_SECONDS: "1", TURN_WAIT_SECONDS: "1" };
    expect(await runCli(["ask", "-m", "Hang on"], { ...cli, env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("did not answer within 2 seconds"),
    });
  });

  test("a wrong configuration is named", async () => {
    const { code, stderr } = await runCli(["list"], { url: "ftp://example.org" });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("API_URL") });
  });

  test("--json puts errors on standard error as the wire has them", async () => {
    const { code, stdout, stderr } = await runCli(["show", "f".repeat(24), "--json"], cli);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({ code: "not_found", msg: expect.any(String), meta: {} });
  });
});

test("--help and --version", async () => {
  for (const command of [[], ["ask"], ["list"], ["show"]]) {
    const { code, stdout } = await runCli([...command, "--help"], cli);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("Examples:") });
    expect(stdout).toContain("--json");
  }
  expect(await runCli(["--version"], cli)).toEqual({ code: 0, stdout: "0.1.0\n", stderr: "" });
});

test("the demo model answers with a tool, and a restart forgets nothing", async () => {
  const demo = await startServer();
  const asked = await runCli(["ask", "-m", "Which holidays are next in Barcelona?"], { url: demo.url });
  expect(asked).toMatchObject({ code: 0, stdout: expect.stringContaining("Christmas") });
  const id = asked.stderr.slice(0, 24);

  await demo.kill("SIGKILL");
  const again = await startServer({ dataDir: demo.dataDir });
  const shown = await runCli(["show", id], { url: again.url });
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining("get_holidays") });
  await again.stop();
  await demo.stop();
});

describeWith(SCRIPT, "on a terminal", () => {
  let terminal: TerminalCli;
  afterEach(() => terminal.kill());

  test("a talk: answer, Ctrl-C in mid-answer, another answer, Ctrl-D", async () => {
    aimock.always(says("Be slow"), { raw: [], ending: "hang" });
    terminal = new TerminalCli(["ask"], cli);
    await terminal.until(/› $/);

    terminal.type("Hello\r");
    expect(await terminal.until(/\n› $/)).toMatch(/[0-9a-f]{24} · Greetings\r\nHello, you\.\r\n\r\n› $/);

    const sent = aimock.requests.length;
    terminal.type("Be slow\r");
    await aimock.request(sent);
    terminal.type("\x03");
    await terminal.until(/Stopped waiting\. The server finishes the answer and keeps it\.\r\n\r\n› $/);

    terminal.type("/new\r");
    await terminal.until(/A new conversation begins with your next message\.\r\n\r\n› $/);
    terminal.type("Hello\r");
    await terminal.until(/Hello, you\.\r\n\r\n› $/);

    terminal.type("\x04");
    await terminal.until(/Go on with: parley ask [0-9a-f]{24}\r\n$/);
    expect(await terminal.end()).toBe(0);
  });

  test("an id shows what was said; an error does not end the talk; nor does one Ctrl-C", async () => {
    const id = await startConversation();
    terminal = new TerminalCli(["ask", id], cli);
    expect(await terminal.until(/› $/)).toMatch(
      /Greetings.* 2 messages .*You · .*Hello.*Parley · .*Hello, you\./s,
    );

    terminal.type(`${"x".repeat(61)}\r`);
    await terminal.until(/error: message must have at most 60 characters\r\n\r\n› $/);
    terminal.type("half a line\x03");
    await terminal.until(/half a line.*› $/s);
    terminal.type("\x03");
    await terminal.until(/Ctrl-C again, or Ctrl-D, leaves\.\r\n› $/);
    terminal.type("And again\r");
    expect(await terminal.until(/\n› $/)).toMatch(/Again, hello\.\r\n\r\n› $/);

    terminal.type("\x03");
    await terminal.until(/leaves\.\r\n› $/);
    terminal.type("\x03");
    expect(await terminal.end()).toBe(0);
  });

  test("a paste of several lines is one message", async () => {
    aimock.always(says("one\ntwo"), { text: "Both." });
    terminal = new TerminalCli(["ask"], cli);
    await terminal.until(/› $/);
    terminal.type("\x1b[200~one\ntwo\x1b[201~\r");
    await terminal.until(/Both\.\r\n\r\n› $/);
    terminal.type("/exit\r");
    expect(await terminal.end()).toBe(0);
  });

  test("colours and a waiting indicator, unless NO_COLOR is set", async () => {
    for (const [env, styled] of [[{}, true] as const, [{ NO_COLOR: "1" }, false] as const]) {
      terminal = new TerminalCli(["ask", "-m", "Hello"], { ...cli, env });
      expect(await terminal.end()).toBe(0);
      expect([terminal.raw.includes("⠋"), terminal.raw.includes("\x1b[")]).toEqual([styled, styled]);
      expect(terminal.raw).toMatch(/Hello, you\.\r\n$/);
    }
  });

  test("a talk sends no control sequences to a terminal that knows none", async () => {
    terminal = new TerminalCli(["ask"], { ...cli, env: { TERM: "dumb" } });
    await terminal.until(/› $/);
    terminal.type("Hello\r");
    await terminal.until(/Hello, you\.\r\n\r\n› $/);
    terminal.type("\x04");
    expect(await terminal.end()).toBe(0);
    expect(terminal.raw).not.toContain("\x1b");
  });

  test("Ctrl-C ends a single question with 130", async () => {
    aimock.always(says("Hang"), { raw: [], ending: "hang" });
    const sent = aimock.requests.length;
    terminal = new TerminalCli(["ask", "-m", "Hang"], cli);
    await aimock.request(sent);
    terminal.type("\x03");
    await terminal.until(/error: Stopped waiting\. The server finishes the answer and keeps it\.\r\n$/);
    expect(await terminal.end()).toBe(130);
  });
});
