import type { Dispatcher } from "undici";

/** As thin a `fetch` over undici as the SDK can work with: a URL, a text and a signal in, a stream out. */
export function thinFetch(dispatcher: Dispatcher): typeof fetch {
  return async (input, init = {}) => {
    const url = new URL(String(input));
    const { statusCode, headers, body } = await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: init.method as Dispatcher.HttpMethod,
      headers: Object.fromEntries(new Headers(init.headers)),
      body: init.body as string,
      signal: init.signal,
    });
    const parts = body[Symbol.asyncIterator]();
    const stream = new ReadableStream(
      {
        async pull(controller) {
          const { done, value } = await parts.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => void body.on("error", () => undefined).destroy(),
      },
      { highWaterMark: 0 },
    );
    return new Response(stream, { status: statusCode, headers: headers as Record<string, string> });
  };
}
