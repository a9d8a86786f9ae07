import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Update } from "grammy/types";
import type { Log } from "./log.ts";

export interface WebhookOptions {
  /** Of the webhook's URL. */
  readonly path: string;
  readonly secret: string;
  /** As for the poller. */
  readonly take: (update: Update) => Promise<void>;
  readonly log: Log;
}

/** Many times what the largest update has. */
const MAX_BYTES = 1_048_576;

/** The webhook's secret token, which so needs no setting, and changes with the bot's token. */
export function webhookSecret(token: string): string {
  return createHmac("sha256", token).update("webhook").digest("hex");
}

/**
 * Takes updates that Telegram brings. The answer is 200 only once the update is done: after any other,
 * or none in time, Telegram brings it again, and holds back later ones of its chat.
 */
export function createWebhook({ path, secret, take, log }: WebhookOptions): Server {
  return createServer(async (request, response) => {
    const answer = (status: number) => response.writeHead(status).end();
    if (request.url?.split("?", 1)[0] !== path) return answer(404);
    if (request.method !== "POST") return answer(405);
    if (!isSecret(request.headers["x-telegram-bot-api-secret-token"], secret)) return answer(401);
    const update = await readUpdate(request);
    if (!update) return answer(400);
    try {
      await take(update);
      answer(200);
    } catch (error) {
      log.debug({ err: error, update: update.update_id }, "An update was left undone");
      answer(503);
    }
  });
}

/** In a time that tells nothing: digests have one length. */
function isSecret(given: string | string[] | undefined, secret: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(String(given)), digest(secret));
}

/** Undefined for what is no update. */
async function readUpdate(request: IncomingMessage): Promise<Update | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_BYTES) return undefined;
    }
    const update: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    const isUpdate = typeof update === "object" && update !== null && "update_id" in update;
    return isUpdate && Number.isSafeInteger(update.update_id) ? (update as Update) : undefined;
  } catch {
    return undefined;
  }
}
