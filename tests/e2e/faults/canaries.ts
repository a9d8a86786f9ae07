import { expect } from "@jest/globals";

/** What must be seen nowhere. */
export const SECRETS = {
  apiKey: "canary-api-key-5f1d0c",
  wrongApiKey: "canary-wrong-key-90b3aa",
  modelKey: "canary-model-key-77e2c4",
  weatherKey: "canary-weather-key-1c9f55",
  feedToken: "canary-feed-token-3ad8e1",
  feedPassword: "canary-feed-password-b60f27",
  mongoPassword: "canary-mongo-password-e4157d",
  redisPassword: "canary-redis-password-08cc93",
  botToken: "123456:canary-bot-token-d2e871",
} as const;
/** Of a user's message: what must be seen in a log of level debug alone. */
export const WORDS = "canary-words-of-a-user";

export function expectNo(secrets: readonly string[], where: string): void {
  const shown = secrets.filter((secret) =>
    [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64").replace(/=+$/, "")].some(
      (form) => where.includes(form),
    ),
  );
  const context = shown.map((secret) => where.slice(Math.max(0, where.indexOf(secret) - 300)).slice(0, 400));
  expect(context).toEqual([]);
}
