import { styleText } from "node:util";

export interface Input extends NodeJS.ReadableStream {
  readonly isTTY?: boolean;
}

export interface Output extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  /** The width of a terminal. */
  readonly columns?: number;
  hasColors?(): boolean;
}

/** The process's own. Answers go to stdout, all else to stderr, so that pipes get answers only. */
export interface Streams {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
}

export type Style = "bold" | "dim" | "red" | "cyan";
/** Styles a text for one stream, or leaves it plain. */
export type Paint = (style: Style, text: string) => string;

/** Colours where the stream is a terminal that has them, and neither NO_COLOR nor TERM=dumb is set. */
export function painter(stream: Output): Paint {
  return (style, text) => styleText(style, text, { stream });
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 80;
const ERASE_LINE = "\r\x1b[K";

/** Shows that work is being done, and for how long, on a terminal with colours; erased in the end. */
export async function withSpinner<T>(stream: Output, work: () => Promise<T>): Promise<T> {
  if (!stream.isTTY || !stream.hasColors?.()) return await work();
  const startedAt = performance.now();
  const paint = painter(stream);
  let frame = 0;
  const draw = () => {
    const seconds = Math.floor((performance.now() - startedAt) / 1000);
    const sign = FRAMES[frame++ % FRAMES.length] ?? "";
    stream.write(`${ERASE_LINE}${paint("cyan", sign)} ${paint("dim", `${seconds} s`)}`);
  };
  draw();
  const timer = setInterval(draw, FRAME_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    stream.write(ERASE_LINE);
  }
}
