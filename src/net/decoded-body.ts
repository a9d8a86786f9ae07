import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Answer, IncomingBody } from "./exchange.ts";
import { RequestRefusedError, ResponseTooLargeError } from "./http-client.ts";

/**
 * The body as it comes in, decoded.
 *
 * @throws ResponseTooLargeError as soon as it has more than `maxBytes`.
 */
export async function* decodedBody({ body, headers }: Answer, maxBytes: number): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const part of decoded(body, String(headers["content-encoding"] ?? ""))) {
    size += part.length;
    if (size > maxBytes) throw new ResponseTooLargeError(`The answer has more than ${maxBytes} bytes`);
    yield part;
  }
}

function decoded(body: IncomingBody, encoding: string): AsyncIterable<Buffer> {
  switch (encoding.toLowerCase()) {
    case "":
    case "identity":
      return body;
    case "gzip":
    case "x-gzip":
      // Whoever reads the stream learns of its failure.
      return pipeline(body, createGunzip(), () => undefined).once("close", () => body.close());
    default:
      body.close();
      throw new RequestRefusedError(`The answer has the encoding ${encoding}, which was not asked for`);
  }
}
