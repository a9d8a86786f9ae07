import type { IncomingHttpHeaders } from "node:http";
import querystring from "node:querystring";
import { type Dispatcher, errors } from "undici";
import { RequestRefusedError, ResponseTooLargeError } from "./http-client.ts";

/** How long a server may be silent, in milliseconds. */
export interface Patience {
  /** Before its answer begins. */
  readonly headersMs: number;
  /** Between two parts of it. */
  readonly bodyMs: number;
}

export interface OutgoingRequest {
  readonly method: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  /** Of the answer's body; a longer one is an error. */
  readonly maxBytes: number;
}

/** An answer whose body is still coming in. */
export interface Answer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingBody;
}

/** The parts of a body as they come, to be read once; undecoded. Whoever stops reading closes the connection. */
export interface IncomingBody extends AsyncIterable<Buffer> {
  /** Closes the connection, unless the body has ended. */
  close(): void;
  /**
   * Throws the rest away. When it is short and comes soon, the connection can be used again, which closing
   * it would prevent.
   */
  dump(): void;
}

/** A reader that is slower than its server has it wait when so many bytes lie there unread. */
const MAX_UNREAD_BYTES = 65_536;
const MAX_DUMPED_BYTES = 16_384;
const MAX_DUMPING_MS = 1_000;

/**
 * Sends one request and resolves when its answer begins. Redirects are not followed. Name and password of
 * the URL are sent as Basic credentials (RFC 7617).
 *
 * An abort of the signal closes the connection at any time, and is thrown from here or from the body.
 */
export function send(
  dispatcher: Dispatcher,
  url: URL,
  { method, headers, body, signal, maxBytes }: OutgoingRequest,
  patience: Patience,
): Promise<Answer> {
  if (signal.aborted) return Promise.reject(signal.reason);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return Promise.reject(new RequestRefusedError(`Only http and https can be asked, not ${url.protocol}`));
  }
  const exchange = new Exchange(signal, maxBytes);
  dispatcher.dispatch(
    {
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: { "user-agent": "parley", ...credentialsOf(url), ...headers },
      body,
      headersTimeout: patience.headersMs,
      bodyTimeout: patience.bodyMs,
    },
    exchange,
  );
  return exchange.answer;
}

function credentialsOf({ username, password }: URL): Record<string, string> | undefined {
  if (username === "" && password === "") return undefined;
  // It leaves a percent sign as it is that stands for nothing else, as URLs may have it.
  const pair = `${querystring.unescape(username)}:${querystring.unescape(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

const END = { done: true, value: undefined } as const;
/** For undici alone, so it needs no stack of its own. */
const NOT_READ = new Error("Nobody reads the answer any more");

/**
 * What undici tells of one request, and what is read of its answer: without the stream and the errors that
 * undici's own `request` makes for each.
 */
class Exchange implements Dispatcher.DispatchHandler, IncomingBody {
  readonly #answer = Promise.withResolvers<Answer>();
  readonly #signal: AbortSignal;
  readonly #maxBytes: number;
  #controller?: Dispatcher.DispatchController;
  readonly #unread: Buffer[] = [];
  #unreadBytes = 0;
  /** Of the body so far. */
  #bytes = 0;
  /** Of a reader that waits. */
  #reader?: PromiseWithResolvers<IteratorResult<Buffer, undefined>>;
  #ended = false;
  /** Why the body does not come to its end. */
  #failure?: { readonly reason: unknown };
  /** Set while the rest is thrown away. */
  #dumping?: { bytes: number; readonly timer: NodeJS.Timeout };

  constructor(signal: AbortSignal, maxBytes: number) {
    this.#signal = signal;
    this.#maxBytes = maxBytes;
    signal.addEventListener("abort", this.#onAbort);
  }

  get answer(): Promise<Answer> {
    return this.#answer.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // While it waited for a connection.
    if (this.#failure) controller.abort(NOT_READ);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    // Informational ones come before the answer: RFC 9110, section 15.2.
    if (status >= 200) this.#answer.resolve({ status, headers, body: this });
  }

  onResponseData(controller: Dispatcher.DispatchController, part: Buffer): void {
    if (this.#dumping) {
      this.#dumping.bytes += part.length;
      if (this.#dumping.bytes > MAX_DUMPED_BYTES) this.#giveUp(NOT_READ);
      return;
    }
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) {
      this.#giveUp(tooLarge(this.#maxBytes));
      return;
    }
    if (this.#reader) {
      this.#reader.resolve({ done: false, value: part });
      this.#reader = undefined;
      return;
    }
    this.#unread.push(part);
    this.#unreadBytes += part.length;
    if (this.#unreadBytes > MAX_UNREAD_BYTES) controller.pause();
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.#settle();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // Such as a line break in a header.
    const unsendable = error instanceof errors.InvalidArgumentError;
    this.#fail(unsendable ? new RequestRefusedError(`It can't be sent: ${error.message}`) : error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** By hand: a generator makes four promises for each part, and each event of a stream comes by here. */
  next(): Promise<IteratorResult<Buffer, undefined>> {
    const value = this.#unread.shift();
    if (value) {
      this.#unreadBytes -= value.length;
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure) return Promise.reject(this.#failure.reason);
    if (this.#ended) return Promise.resolve(END);
    const reader = Promise.withResolvers<IteratorResult<Buffer, undefined>>();
    this.#reader = reader;
    // What undici has kept back may come before this returns.
    this.#controller?.resume();
    return reader.promise;
  }

  /** The reader stops before the end. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.close();
    return Promise.resolve(END);
  }

  close(): void {
    if (!this.#dumping) this.#giveUp(NOT_READ);
  }

  dump(): void {
    if (this.#ended || this.#failure || this.#dumping) return;
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#unread.length = 0;
    const timer = setTimeout(() => this.#giveUp(NOT_READ), MAX_DUMPING_MS).unref();
    this.#dumping = { bytes: 0, timer };
    this.#controller?.resume();
  }

  /** What lies there unread is not wanted any more either. */
  readonly #onAbort = (): void => {
    this.#unread.length = 0;
    this.#giveUp(this.#signal.reason);
  };

  #giveUp(reason: unknown): void {
    if (this.#ended || this.#failure) return;
    this.#fail(reason);
    this.#controller?.abort(NOT_READ);
  }

  #fail(reason: unknown): void {
    if (this.#ended || this.#failure) return;
    this.#failure = { reason };
    this.#answer.reject(reason);
    this.#settle();
  }

  #settle(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    clearTimeout(this.#dumping?.timer);
    if (this.#failure) this.#reader?.reject(this.#failure.reason);
    else this.#reader?.resolve(END);
  }
}

export function tooLarge(maxBytes: number): ResponseTooLargeError {
  return new ResponseTooLargeError(`The answer has more than ${maxBytes} bytes`);
}
