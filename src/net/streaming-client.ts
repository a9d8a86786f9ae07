import type { Dispatcher } from "undici";
import { decodedBody } from "./decoded-body.ts";
import { type Patience, send } from "./exchange.ts";
import type { StreamingClient } from "./http-client.ts";

export interface StreamingClientOptions {
  readonly patience: Patience;
  /** Of a decoded body; a longer one is an error. */
  readonly maxBytes: number;
}

/** The port over a dispatcher, which judges each address. */
export function streamingClientOver(
  dispatcher: Dispatcher,
  { patience, maxBytes }: StreamingClientOptions,
): StreamingClient {
  return {
    post(url, options) {
      const answered = send(dispatcher, url, { method: "POST", ...options, maxBytes }, patience);
      return answered.then((answer) => {
        const { status, headers, body } = answer;
        return { status, headers, body: decodedBody(answer, maxBytes), dump: () => body.dump() };
      });
    },
  };
}
