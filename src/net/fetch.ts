import type { Dispatcher } from "undici";
import { bodyOf, discard, type Patience, send } from "./exchange.ts";

export interface FetchOptions {
  readonly patience: Patience;
  /** Of a decoded response body; a longer one is an error. */
  readonly maxBytes: number;
}

/** The statuses whose responses have no body: https://fetch.spec.whatwg.org/#null-body-status */
const NULL_BODY = new Set([101, 103, 204, 205, 304]);

/**
 * `fetch` over a dispatcher, for SDKs that take one of one's own: a few times cheaper than undici's.
 * It takes a URL and a body of text. It follows no redirect, knows no cache and no cookies, and rejects
 * with the transport's own error instead of a TypeError around it.
 */
export function fetchOver(dispatcher: Dispatcher, { patience, maxBytes }: FetchOptions): typeof fetch {
  return async (input, init = {}) => {
    const { method = "GET", headers, body, signal } = init;
    if (input instanceof Request || (body && typeof body !== "string")) {
      throw new TypeError("This fetch takes a URL, and a body of text");
    }
    const request = { method, headers: Object.fromEntries(new Headers(headers)), body, signal };
    const response = await send(dispatcher, new URL(input), request, patience);
    const { statusCode: status, statusText, headers: received } = response;
    try {
      return new Response(NULL_BODY.has(status) ? null : stream(response, maxBytes), {
        status,
        statusText,
        headers: toHeaders(received),
      });
    } catch (error) {
      discard(response.body);
      throw error;
    }
  };
}

function stream(response: Dispatcher.ResponseData, maxBytes: number): ReadableStream<Uint8Array> {
  const chunks = bodyOf(response, maxBytes);
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      // Not by way of the chunks: they would wait for the next one first.
      cancel: () => discard(response.body),
    },
    { highWaterMark: 0 },
  );
}

function toHeaders(received: Dispatcher.ResponseData["headers"]): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(received)) {
    for (const value of [values].flat()) headers.append(name, value);
  }
  return headers;
}
