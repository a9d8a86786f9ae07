import { type IncomingHttpHeaders, request } from "node:http";
import { text } from "node:stream/consumers";

export interface RawRequest {
  readonly method?: string;
  /** Default: ListConversations. */
  readonly path?: string;
  /** `host` too, which `fetch` writes by itself. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The path of a method. */
export function rpc(method: string): string {
  return `/twirp/acai.chat.ChatService/${method}`;
}

/** A request on a connection of its own, with headers as they are given: by default an empty call of a method. */
export async function rawRequest(url: string, options: RawRequest = {}): Promise<RawAnswer> {
  const {
    method = "POST",
    path = rpc("ListConversations"),
    headers,
    body = method === "POST" ? "{}" : "",
  } = options;
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  request(`${url}${path}`, {
    method,
    agent: false,
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers },
  })
    .on("error", reject)
    .on("response", (response) => {
      const { statusCode = 0, headers } = response;
      text(response).then((body) => resolve({ status: statusCode, headers, body }), reject);
    })
    .end(body);
  return promise;
}
