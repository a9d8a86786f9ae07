import { text } from "node:stream/consumers";
import type { Dispatcher } from "undici";
import { decodedBody } from "./decoded-body.ts";
import { type Patience, send } from "./exchange.ts";
import { type HttpClient, RequestRefusedError } from "./http-client.ts";

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The port over a dispatcher, which judges each address, those that redirects lead to included. */
export function httpClientOver(dispatcher: Dispatcher, patience: Patience): HttpClient {
  return {
    async get(url, { signal, maxBytes, headers, maxRedirects = 0 }) {
      for (let hop = 0, target = url; ; hop++) {
        const request = {
          method: "GET" as const,
          headers: { "accept-encoding": "gzip", ...(target.origin === url.origin && headers) },
          signal,
          maxBytes,
        };
        const answer = await send(dispatcher, target, request, patience);
        const { status, headers: received } = answer;
        const location = REDIRECTS.has(status) ? received.location : undefined;
        if (maxRedirects === 0 || location === undefined) {
          return { status, headers: received, body: await text(decodedBody(answer, maxBytes)) };
        }
        answer.body.dump();
        if (hop === maxRedirects) {
          throw new RequestRefusedError(`${url.host} redirects more than ${maxRedirects} times`);
        }
        target = nextTarget(target, String(location));
      }
    },
  };
}

function nextTarget(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href)) {
    throw new RequestRefusedError(`${from.host} redirects to what is no URL`);
  }
  const to = new URL(location, from);
  if (from.protocol === "https:" && to.protocol !== "https:") {
    throw new RequestRefusedError(`${from.host} redirects from https to ${to.protocol}//${to.host}`);
  }
  return to;
}
