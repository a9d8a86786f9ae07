import { StringDecoder } from "node:string_decoder";
import { ResponseTooLargeError } from "./http-client.ts";

export interface ServerSentEvent {
  /** Empty where the server gives the event no name. */
  readonly event: string;
  readonly data: string;
}

/** Of an event with all its lines, in UTF-16 code units: far above what a model says at once. */
const MAX_EVENT_LENGTH = 8 * 1_048_576;

/**
 * Reads a `text/event-stream` to its end, or until `take` returns false, by the WHATWG HTML standard, section
 * 9.2.6 "Interpreting an event stream". `id` and `retry` are for clients that connect again, and are left out.
 *
 * In one thing it departs from the standard: an event that the stream ends in is an event, not thrown away.
 * Several servers leave the last empty line out.
 *
 * @throws ResponseTooLargeError for an event without an end; what `take` throws.
 */
export async function readEvents(
  body: AsyncIterable<Uint8Array>,
  take: (event: ServerSentEvent) => boolean,
): Promise<void> {
  const parser = new EventParser();
  for await (const part of body) {
    if (!parser.push(part).every(take)) return;
  }
  parser.end().every(take);
}

/** Takes the stream in parts that may end anywhere, within a character too. */
class EventParser {
  readonly #decoder = new StringDecoder("utf8");
  #atStart = true;
  /** The last part ended with a carriage return: a line feed at the next one's start belongs to it. */
  #afterReturn = false;
  /** The line that has not ended yet. */
  #line = "";
  #event = "";
  /** Undefined until the event has a line of data. */
  #data?: string;

  push(part: Uint8Array): ServerSentEvent[] {
    return this.#read(this.#decoder.write(part));
  }

  end(): ServerSentEvent[] {
    return this.#read(`${this.#decoder.end()}\n\n`);
  }

  #read(decoded: string): ServerSentEvent[] {
    const lines = this.#withLineFeeds(decoded).split("\n");
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop() ?? "";
    const events: ServerSentEvent[] = [];
    for (const line of lines) {
      if (line !== "") this.#takeField(line);
      else if (this.#data !== undefined) events.push(this.#takeEvent(this.#data));
      else this.#event = "";
    }
    if (this.#line.length + (this.#data?.length ?? 0) > MAX_EVENT_LENGTH) {
      throw new ResponseTooLargeError(`An event of the answer has more than ${MAX_EVENT_LENGTH} characters`);
    }
    return events;
  }

  /** The text with one kind of line end, and without a byte order mark at the stream's start. */
  #withLineFeeds(decoded: string): string {
    if (decoded === "") return "";
    const skipped = (this.#afterReturn && decoded[0] === "\n") || (this.#atStart && decoded[0] === "\uFEFF");
    const text = skipped ? decoded.slice(1) : decoded;
    this.#atStart = false;
    this.#afterReturn = text.endsWith("\r");
    return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  }

  #takeField(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    // Without a name it is a comment.
    else if (name === "event") this.#event = value;
  }

  #takeEvent(data: string): ServerSentEvent {
    const event = { event: this.#event, data };
    this.#event = "";
    this.#data = undefined;
    return event;
  }
}
