import type { IncomingHttpHeaders } from "node:http";
import { request } from "undici";

export interface HttpGetOptions {
  signal: AbortSignal;
  /** Of the decoded body; a longer one is an error. */
  maxBytes: number;
  headers?: Record<string, string>;
}

export interface HttpResponse {
  status: number;
  /** By lower-case name. */
  headers: IncomingHttpHeaders;
  body: string;
}

/** The outgoing HTTP that tools use. Redirects are not followed; the caller's signal is the time-out. */
export interface HttpClient {
  get(url: URL, options: HttpGetOptions): Promise<HttpResponse>;
}

export class ResponseTooLargeError extends Error {
  override readonly name = "ResponseTooLargeError";
}

export const httpClient: HttpClient = {
  async get(url, { signal, maxBytes, headers }) {
    const response = await request(url, {
      method: "GET",
      signal,
      headers: { "user-agent": "parley", ...headers },
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) {
        response.body.destroy();
        throw new ResponseTooLargeError(`${url.host} sent more than ${maxBytes} bytes`);
      }
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks).toString("utf8");
    return { status: response.statusCode, headers: response.headers, body };
  },
};
