import { text } from "node:stream/consumers";
import { localServer } from "./local-server.ts";

/** What the receiver read: https://develop.sentry.dev/sdk/data-model/envelopes/ */
export interface ReceivedEnvelope {
  readonly path: string;
  readonly contentType: string | undefined;
  /** The lines of its body, each a JSON object: the envelope's header, then header and payload of each item. */
  readonly lines: readonly Record<string, unknown>[];
  readonly raw: string;
}

/** A server that takes envelopes as Sentry does, and keeps them. */
export async function startSentryReceiver(answer: () => Promise<void> | void = () => undefined) {
  const envelopes: ReceivedEnvelope[] = [];
  const { url, close } = await localServer(async (_, response, request) => {
    const raw = await text(request);
    const lines = raw.trimEnd().split("\n");
    envelopes.push({
      path: request.url ?? "",
      contentType: request.headers["content-type"],
      lines: lines.map((line) => JSON.parse(line)),
      raw,
    });
    await answer();
    response.writeHead(receiver.status).end("{}");
  });
  const receiver = {
    /** What it answers with from now on. */
    status: 200,
    dsn: `${url.replace("//", "//publickey@")}/42`,
    envelopes,
    close,
  };
  return receiver;
}
