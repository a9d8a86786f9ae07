import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { TwirpError, TwirpErrorCode } from "twirp-ts";
import { type Config, ConfigError, holdsLogin, loadConfig } from "../config.ts";
import { Timestamp } from "../gen/google/protobuf/timestamp";
import { version } from "../version.ts";
import { ask } from "./ask.ts";
import { connector } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { describeError, errorJson, UsageError } from "./errors.ts";
import { History, historyPath } from "./history.ts";
import { list } from "./list.ts";
import { localeMetadata } from "./locale.ts";
import { safeJson, safeText } from "./safe-text.ts";
import { show } from "./show.ts";
import { DIMENSIONS, type DimensionName, stats } from "./stats.ts";
import { painter } from "./terminal.ts";

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 };

const HELP = `
Environment:
  API_URL   the server (default http://127.0.0.1:8080)
  API_KEY   the server's key, when it asks for one
  NO_COLOR  set it for plain text; TERM=dumb does the same

Answers go to standard output, all else to standard error. With --json an error is
{"code","msg","meta"} there.

Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed, ${EXIT.usage} used wrongly, ${EXIT.interrupted} interrupted with Ctrl-C.

Examples:
  parley ask                          talk; /help lists what can be typed
  parley ask -m "Is today a holiday in Spain?"
  git diff | parley ask
  parley list --json | jq -r '.[0].id'
  parley stats --by model             what was spent on which model`;

interface GlobalOptions {
  readonly url?: string;
  readonly json?: boolean;
}

function program(): Command {
  const parley = new Command("parley")
    .description("Talk with a Parley server.")
    .version(version)
    .option("--url <url>", "the server, instead of API_URL", readUrl)
    .option("--json", "print JSON, with the contract's names")
    .addHelpText("after", HELP)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(--help shows how it is used)")
    .exitOverride();

  parley
    .command("ask")
    .summary("ask once, or talk on a terminal")
    .description(
      "Asks once, with -m or a message on standard input; on a terminal talks until Ctrl-D.\n" +
        "--json prints {conversation_id, title, reply}.",
    )
    .argument("[id]", "of the conversation to go on with; a terminal shows what was said first")
    .option("-m, --message <text>", "the message")
    .addHelpText(
      "after",
      examples(
        "parley ask",
        'parley ask -m "What is the weather in Barcelona?"',
        'parley ask 665f1c0ffee0000000000001 -m "And tomorrow?"',
        "parley ask < question.txt > answer.txt",
      ),
    )
    .action(async (conversationId: string | undefined, options: { message?: string }, command: Command) => {
      const config = loadConfig();
      await ask(contextOf(command, config), {
        conversationId,
        message: options.message,
        metadata: localeMetadata(process.env),
        history: new History(historyPath(process.env)),
        maxBytes: config.MAX_BODY_BYTES,
      });
    });

  parley
    .command("list")
    .summary("list conversations, newest first")
    .description("Lists conversations, newest first.\n--json prints an array of them, without messages.")
    .option("--limit <n>", "how many at most", readCount, 20)
    .option("--all", "all there are")
    .addHelpText("after", examples("parley list", "parley list --all --json | jq length"))
    .action(async ({ limit, all }: { limit: number; all?: boolean }, command: Command) => {
      await list(contextOf(command, loadConfig()), all ? Number.POSITIVE_INFINITY : limit);
    });

  parley
    .command("show")
    .summary("show one conversation")
    .description("Shows a conversation with all its messages.\n--json prints it as one object.")
    .argument("<id>", "of the conversation")
    .option("--tools", "show what the tools answered in full")
    .addHelpText("after", examples("parley show 665f1c0ffee0000000000001 --tools"))
    .action(async (id: string, { tools = false }: { tools?: boolean }, command: Command) => {
      await show(contextOf(command, loadConfig()), id, tools);
    });

  parley
    .command("stats")
    .summary("show what the language models were used for, and what it cost")
    .description(
      "Shows the calls of language models, their tokens and what they cost, with failed calls and titles.\n" +
        "Days and hours are those of UTC. --json prints the answer of StatsService.GetUsage.",
    )
    .addOption(
      new Option("--by <names...>", "what to tell apart").choices(DIMENSIONS).default(["day"], "day"),
    )
    .option("--days <n>", "the last days, today included", readDays, 30)
    .option("--from <time>", "instead of --days: the first day or time, such as 2026-11-01", readPastTime)
    .option("--to <time>", "the day or time before which it ends (default: now)", readTime)
    .option("--model <name>", "only this one")
    .option("--platform <name>", "only this one, such as telegram")
    .option("--user <id>", "only this user")
    .addOption(new Option("--operation <name>", "only these").choices(["reply", "title"]))
    .addHelpText("after", examples("parley stats", "parley stats --by model operation --days 7"))
    .action(async ({ by, days, from, to, ...filter }: StatsOptions, command: Command) => {
      const end = to ?? Date.now();
      // A midnight ends the day before it.
      const last = end - 1;
      const start = from ?? last - (last % DAY_MS) - (days - 1) * DAY_MS;
      await stats(contextOf(command, loadConfig()), {
        model: filter.model ?? "",
        platform: filter.platform ?? "",
        userId: filter.user ?? "",
        operation: filter.operation ?? "",
        by: [...new Set(by)],
        from: Timestamp.fromDate(new Date(start)),
        to: to === undefined ? undefined : Timestamp.fromDate(new Date(to)),
      });
    });

  return parley;
}

const DAY_MS = 86_400_000;
/** The most that GetUsage takes (stats.proto). */
const MAX_DAYS = 366;

interface StatsOptions {
  readonly by: readonly DimensionName[];
  readonly days: number;
  /** Milliseconds since the Unix epoch. */
  readonly from?: number;
  readonly to?: number;
  readonly model?: string;
  readonly platform?: string;
  readonly user?: string;
  readonly operation?: string;
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

function contextOf(command: Command, config: Config): CommandContext {
  const { url, json = false } = command.optsWithGlobals<GlobalOptions>();
  const { API_URL, API_KEY: apiKey, TURN_TIMEOUT_SECONDS, TURN_WAIT_SECONDS } = config;
  const timeoutMs = 1000 * (TURN_WAIT_SECONDS + TURN_TIMEOUT_SECONDS);
  const connect = connector({ url: url ?? API_URL, apiKey, timeoutMs });
  return { connect, json, streams: process };
}

function readUrl(text: string): string {
  const url = URL.parse(text);
  if ((url?.protocol === "http:" || url?.protocol === "https:") && !holdsLogin(text)) return text;
  throw new InvalidArgumentError(
    "It must be an http or https URL, such as http://127.0.0.1:8080, without a name and password.",
  );
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number of at least 1.");
}

function readDays(text: string): number {
  const days = readCount(text);
  if (days <= MAX_DAYS) return days;
  throw new InvalidArgumentError(
    `It must be at most ${MAX_DAYS}; ask for earlier days with --from and --to.`,
  );
}

/** A day of UTC or an ISO 8601 time, as milliseconds since the Unix epoch. */
function readTime(text: string): number {
  const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (time >= 0) return time;
  throw new InvalidArgumentError("It must be a day such as 2026-11-01 or a time such as 2026-11-01T09:00Z.");
}

function readPastTime(text: string): number {
  const time = readTime(text);
  if (time <= Date.now()) return time;
  throw new InvalidArgumentError("It must be in the past.");
}

/** @returns the exit code. */
async function main(): Promise<number> {
  const parley = program();
  try {
    await parley.parseAsync();
    return EXIT.ok;
  } catch (error) {
    // Commander has said already what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { json } = parley.opts<GlobalOptions>();
    const paint = painter(process.stderr);
    process.stderr.write(
      json
        ? `${safeJson(errorJson(error), 0)}\n`
        : `${paint("red", "error:")} ${safeText(describeError(error))}\n`,
    );
    if (error instanceof UsageError || error instanceof ConfigError) return EXIT.usage;
    const interrupted = error instanceof TwirpError && error.code === TwirpErrorCode.Canceled;
    return interrupted ? EXIT.interrupted : EXIT.failed;
  }
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever reads our output may have seen enough, as `head` does.
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  process.stderr.write(`error: Standard output can't be written: ${error.message}\n`);
  process.exit(EXIT.failed);
});
process.stderr.on("error", () => process.exit(EXIT.failed));

process.exitCode = await main();
