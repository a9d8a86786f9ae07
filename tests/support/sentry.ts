import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

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
  const server = createServer(async (request, response) => {
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
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const receiver = {
    /** What it answers with from now on. */
    status: 200,
    dsn: `http://publickey@127.0.0.1:${port}/42`,
    envelopes,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return receiver;
}
