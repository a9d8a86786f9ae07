import { TwirpError, TwirpErrorCode } from "twirp-ts";
import type { CommandContext } from "./context.ts";
import { describeError } from "./errors.ts";
import type { History } from "./history.ts";
import { Prompt } from "./prompt.ts";
import { safeLine, safeText } from "./safe-text.ts";
import type { Talk } from "./talk.ts";
import { painter, withSpinner } from "./terminal.ts";
import { contentText } from "./transcript.ts";

const HELP = `/help   this list
/id     id of this conversation
/new    begin a new conversation
/exit   leave, as Ctrl-D does
Ctrl-C  stop waiting for an answer; at an empty prompt, twice: leave`;

export interface LoopOptions {
  readonly history: History;
  /** Opens a conversation on its first message. */
  readonly newTalk: () => Talk;
  /** The talk to begin with. */
  readonly talk: Talk;
}

/** Talks until the user leaves. Errors are shown, and the talk goes on. */
export async function chatLoop({ streams }: CommandContext, options: LoopOptions): Promise<void> {
  const { stdin, stdout, stderr } = streams;
  const { history, newTalk } = options;
  const paint = painter(stderr);
  const note = (text: string) => stderr.write(`${text.replace(/^.+$/gm, (line) => paint("dim", line))}\n`);
  const prompt = new Prompt({
    input: stdin,
    output: stderr,
    sign: paint("cyan", "› "),
    history: history.load(),
    leaveHint: paint("dim", "Ctrl-C again, or Ctrl-D, leaves."),
  });
  let talk = options.talk;

  const answer = async (message: string): Promise<void> => {
    const isNew = talk.conversationId === undefined;
    try {
      const { conversationId, title, reply } = await prompt.during((signal) =>
        withSpinner(stderr, () => talk.say(message, signal)),
      );
      if (isNew) note(`${safeLine(conversationId)} · ${safeLine(title)}`);
      stdout.write(`${contentText(reply, stdout)}\n`);
    } catch (error) {
      if (error instanceof TwirpError && error.code === TwirpErrorCode.Canceled) note(error.msg);
      else stderr.write(`${paint("red", "error:")} ${safeText(describeError(error))}\n`);
    }
    stderr.write("\n");
  };

  note("/help lists commands; Ctrl-D leaves.\n");
  try {
    for (;;) {
      const text = (await prompt.read())?.trim();
      if (text === undefined || text === "/exit") break;
      if (text === "") continue;
      history.add(text);
      switch (text) {
        case "/help":
          note(`${HELP}\n`);
          break;
        case "/id":
          note(
            `${safeLine(talk.conversationId ?? "There is no conversation yet: it begins with your first message.")}\n`,
          );
          break;
        case "/new":
          talk = newTalk();
          note("A new conversation begins with your next message.\n");
          break;
        default:
          if (/^\/\w+$/.test(text))
            note(`There is no command ${safeLine(text)}. /help lists those there are.\n`);
          else await answer(text);
      }
    }
  } finally {
    prompt.close();
  }
  stderr.write("\n");
  if (talk.conversationId !== undefined) note(`Go on with: parley ask ${safeLine(talk.conversationId)}`);
}
