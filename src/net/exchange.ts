import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Dispatcher } from "undici";
import { RequestRefusedError, ResponseTooLargeError } from "./http-client.ts";

/** How long a server may be silent, in milliseconds. */
export interface Patience {
  /** Before its answer begins. */
  readonly headersMs: number;
  /** Between two parts of it. */
  readonly bodyMs: number;
}

export interface OutgoingRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | null;
  readonly signal?: AbortSignal | null;
}

/**
 * Sends one request. Redirects are not followed. Name and password of the URL are sent as Basic
 * credentials (RFC 7617).
 */
export async function send(
  dispatcher: Dispatcher,
  url: URL,
  { method, headers, body, signal }: OutgoingRequest,
  patience: Patience,
): Promise<Dispatcher.ResponseData> {
  signal?.throwIfAborted();
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new RequestRefusedError(`Only http and https can be asked, not ${url.protocol}`);
  }
  return await dispatcher.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: method as Dispatcher.HttpMethod,
    headers: { ...credentialsOf(url), ...headers },
    body,
    signal,
    headersTimeout: patience.headersMs,
    bodyTimeout: patience.bodyMs,
  });
}

function credentialsOf({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

/**
 * The body as it comes in, decoded.
 *
 * @throws ResponseTooLargeError as soon as it has more than `maxBytes`.
 */
export async function* bodyOf(
  { body, headers }: Dispatcher.ResponseData,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of decoded(body, String(headers["content-encoding"] ?? ""))) {
    size += chunk.length;
    if (size > maxBytes) throw new ResponseTooLargeError(`The answer has more than ${maxBytes} bytes`);
    yield chunk;
  }
}

/** Closes the connection under a body that nobody reads to its end. */
export function discard(body: Readable): void {
  // Its failure is what is wanted; without a listener it would end the process.
  body.on("error", () => undefined).destroy();
}

function decoded(body: Readable, encoding: string): Readable {
  switch (encoding.toLowerCase()) {
    case "":
    case "identity":
      return body;
    case "gzip":
    case "x-gzip":
      // Whoever reads the stream learns of its failure.
      return pipeline(body, createGunzip(), () => undefined);
    default:
      discard(body);
      throw new RequestRefusedError(`The answer has the encoding ${encoding}, which was not asked for`);
  }
}
