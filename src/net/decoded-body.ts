import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Answer, type IncomingBody, tooLarge } from "./exchange.ts";
import { RequestRefusedError } from "./http-client.ts";

/**
 * The body as it comes in, decoded.
 *
 * @throws ResponseTooLargeError as soon as it has more than `maxBytes`.
 * @throws RequestRefusedError for an encoding that was not asked for.
 */
export function decodedBody({ body, headers }: Answer, maxBytes: number): AsyncIterable<Buffer> {
  const encoding = String(headers["content-encoding"] ?? "").toLowerCase();
  return encoding === "" || encoding === "identity" ? body : unzipped(body, encoding, maxBytes);
}

async function* unzipped(body: IncomingBody, encoding: string, maxBytes: number): AsyncGenerator<Buffer> {
  if (encoding !== "gzip" && encoding !== "x-gzip") {
    body.close();
    throw new RequestRefusedError(`The answer has the encoding ${encoding}, which was not asked for`);
  }
  let bytes = 0;
  // Whoever reads the stream learns of its failure.
  const parts = pipeline(body, createGunzip(), () => undefined).once("close", () => body.close());
  for await (const part of parts) {
    bytes += part.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    yield part;
  }
}
