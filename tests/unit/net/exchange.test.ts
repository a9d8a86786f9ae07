import { expect, test } from "@jest/globals";
import type { Dispatcher } from "undici";
import { send } from "../../../src/net/exchange.ts";

const PATIENCE = { headersMs: 1_000, bodyMs: 1_000 };

/** A dispatcher that has kept a part back, and hands it over within the call that asks it to go on. */
function dispatcherThatKeepsBack(part: Buffer): Dispatcher {
  const dispatch = (_: unknown, handler: Dispatcher.DispatchHandler) => {
    const controller = {
      pause() {},
      abort() {},
      resume: () => handler.onResponseData?.(controller as never, part),
    };
    handler.onRequestStart?.(controller as never, {});
    handler.onResponseStart?.(controller as never, 200, {});
    return true;
  };
  return { dispatch } as unknown as Dispatcher;
}

test("a part that comes while it is asked for is what is read", async () => {
  const { signal } = new AbortController();
  const request = { method: "GET" as const, signal, maxBytes: 100 };
  const dispatcher = dispatcherThatKeepsBack(Buffer.from("kept back"));
  const { body } = await send(dispatcher, new URL("http://example.org"), request, PATIENCE);
  const { value } = await body[Symbol.asyncIterator]().next();
  expect(String(value)).toBe("kept back");
});
