import type { IncomingMessage } from "node:http";
import { AppError } from "../core/errors.ts";

/**
 * Reads a request's body into memory.
 *
 * @throws AppError `resource_exhausted` when it is larger than `maxBytes`; `canceled` when the
 *   client goes away.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new AppError(
      "resource_exhausted",
      `The request's body is larger than ${maxBytes} bytes. Send less, or raise MAX_BODY_BYTES.`,
      { retryable: false },
    );
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("canceled", "The request broke off before its body was complete.", { cause: error });
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}
