import type { IncomingMessage, ServerResponse } from "node:http";
import { AppError } from "../../core/errors.ts";
import { overloaded } from "./refusal.ts";

/** Of each body so much is not counted with the others: short messages pass, whoever sends long ones. */
const SHORT_BYTES = 16_384;
/** Of a body whose length is not announced: it has to be read to be found too large. */
const MAX_UNANNOUNCED_BYTES = 262_144;
/** What all bodies that are being read may take up beyond that, unless a single one may be larger. */
const MAX_TOTAL_BYTES = 16 * 1_048_576;

/** Reads requests' bodies into memory. */
export class BodyReader {
  readonly #maxBytes: number;
  readonly #maxTotalBytes: number;
  /** Of the bodies that are being read, without their first {@link SHORT_BYTES}. */
  #totalBytes = 0;

  /** @param maxBytes of one body. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxTotalBytes = Math.max(maxBytes, MAX_TOTAL_BYTES);
  }

  /**
   * @throws AppError `malformed` when the body is compressed; `resource_exhausted` when it is too large;
   *   `unavailable` when too much is being read already; `canceled` when the client goes away.
   */
  async read(request: IncomingMessage, response: ServerResponse): Promise<Uint8Array> {
    if (!/^(identity)?$/i.test(request.headers["content-encoding"] ?? "")) throw compressed();
    const announced = request.headers["content-length"];
    const maxBytes =
      announced === undefined ? Math.min(this.#maxBytes, MAX_UNANNOUNCED_BYTES) : this.#maxBytes;
    if (announced !== undefined && Number(announced) > maxBytes) throw tooLarge(maxBytes);
    // Since it was let in: nothing is going to be told of it any more.
    if (request.destroyed) throw brokenOff();
    // What HTTP/1.0 expects is ignored (RFC 9110, section 10.1.1).
    if (request.headers.expect !== undefined && request.httpVersion !== "1.0") response.writeContinue();
    const tooMuch = () => tooLarge(maxBytes, maxBytes < this.#maxBytes);
    // Most bodies are short and have come with the headers: they need no waiting, and none of its events. That
    // the request is complete Node.js may say only a moment later.
    if (request.complete || request.readableLength === Number(announced)) {
      if (request.readableLength > maxBytes) throw tooMuch();
      return request.read() ?? Buffer.alloc(0);
    }
    const chunks: Buffer[] = [];
    let size = 0;
    let counted = 0;
    // By events: an iterator over the request costs as much as all else that is done with it.
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) return reject(tooMuch());
      const long = Math.max(0, size - SHORT_BYTES);
      this.#totalBytes += long - counted;
      counted = long;
      if (this.#totalBytes > this.#maxTotalBytes) return reject(overloaded());
      chunks.push(chunk);
    };
    const breakOff = (cause?: Error) => {
      if (!request.readableEnded) reject(brokenOff(cause));
    };
    request.on("data", take).on("end", resolve).on("error", breakOff).on("close", breakOff);
    try {
      await promise;
    } finally {
      this.#totalBytes -= counted;
      // What is left of a refused body is not read.
      request.off("data", take).off("close", breakOff);
      if (!request.complete) request.pause();
    }
    return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
  }
}

function brokenOff(cause?: Error): AppError {
  return new AppError("canceled", "The request broke off before its body was complete.", { cause });
}

function compressed(): AppError {
  return new AppError(
    "malformed",
    "The server reads no compressed bodies. Send it as it is, without Content-Encoding.",
  );
}

function tooLarge(maxBytes: number, announce = false): AppError {
  const cure = announce ? "Announce its length in Content-Length" : "Send less, or raise MAX_BODY_BYTES";
  return new AppError("resource_exhausted", `The request's body is larger than ${maxBytes} bytes. ${cure}.`, {
    retryable: false,
  });
}
