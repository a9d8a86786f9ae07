import { expect, test } from "@jest/globals";
import { ConfigError } from "../../../src/config.ts";
import { startTestApp } from "../../support/app.ts";

test.each([
  [{ HOLIDAY_COUNTRY: "ZZ" }, /^HOLIDAY_COUNTRY.*a country 'ZZ'.*HOLIDAY_CALENDAR_URL/],
  [{ HOLIDAY_COUNTRY: "ES", HOLIDAY_REGION: "XX" }, /HOLIDAY_REGION.*'XX' of Spain.*CT \(Catalonia\)/],
])("a server with %j does not start", async (environment, words) => {
  const start = startTestApp(environment);
  await expect(start).rejects.toThrow(words);
  await expect(start).rejects.toBeInstanceOf(ConfigError);
});

test.each([
  [{ HOLIDAY_COUNTRY: "es", HOLIDAY_REGION: "Catalonia" }],
  // Whose regions date-holidays does not know.
  [{ HOLIDAY_COUNTRY: "PT", HOLIDAY_REGION: "Lisbon", HOLIDAY_CALENDAR_URL: "http://127.0.0.1:9/feed.ics" }],
])("a server with %j starts", async (environment) => {
  const app = await startTestApp(environment);
  await app.stop();
});
