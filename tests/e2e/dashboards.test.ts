import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Aimock } from "../support/aimock.ts";
import { readDashboards, readRules } from "../support/deploy.ts";
import { eventually } from "../support/eventually.ts";
import { scrape } from "../support/metrics.ts";
import { type Exposed, problemsOf, readExposition } from "../support/promql.ts";
import { rawRequest } from "../support/raw-http.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

const KEY = "a-key-for-the-dashboards";
const AUTHORIZED = { authorization: `Bearer ${KEY}` };

/** The queries of dashboards and rules, as Prometheus would get them, by where they are. */
const QUERIES = [
  ...readRules().recorded.map(({ record, expr }) => [record, expr] as const),
  ...readRules().alerts.map(({ alert, expr }) => [alert, expr] as const),
  ...readDashboards().flatMap(({ title, panels, templating }) => [
    ...panels.flatMap((panel) =>
      panel.targets.map(({ expr }) => [`${title}, ${panel.title}`, expr] as const),
    ),
    ...templating.list.flatMap(({ name, definition }) =>
      definition ? [[`${title}, $${name}`, asQuery(definition)] as const] : [],
    ),
  ]),
].map(([where, query]) => [where, query.replace(/\$__(rate_interval|range)/g, "5m")] as const);

let model: Aimock;
let server: RunningServer;
let exposed: Exposed;

beforeAll(async () => {
  model = await Aimock.start();
  model.always(({ tools }) => tools === undefined, { text: "A title" });
  const start = (changes: Record<string, string> = {}) =>
    startServer({
      env: {
        OPENAI_BASE_URL: model.baseUrl,
        API_KEYS: `dashboards:${KEY}`,
        // The weather is out of reach: its first call spends the retries, its third one the breaker.
        RETRY_MAX_ATTEMPTS: "10",
        RETRY_MAX_DELAY_MS: "1",
        CIRCUIT_BREAKER_MAX_FAILURES: "13",
        ...changes,
      },
    });
  server = await start();
  await makeEverythingHappen();
  // Looking at it, too, makes garbage, which is collected some time.
  let first = "";
  await eventually(async () => {
    first = await scrape(server.url, KEY);
    return first.includes("nodejs_gc_duration_seconds_sum{");
  });
  await server.stop();
  server = await start({ OPENAI_MODEL: "a-model-without-a-price", WORKERS: "2" });
  model.script({ text: "Hello" });
  await say("Hi");
  exposed = readExposition(`${first}\n${await scrape(server.url, KEY)}`, readRules().recorded);
});
afterAll(async () => {
  await server.stop();
  await model.close();
});

function say(message: string, more: object = {}) {
  return callJson<{ conversation_id: string }>(
    server.url,
    "StartConversation",
    { message, ...more },
    AUTHORIZED,
  );
}

/** All that is measured and can be brought about from outside. */
async function makeEverythingHappen(): Promise<void> {
  for (const location of ["Barcelona", "Lisbon", "Paris", "Rome"]) {
    const weather = { name: "get_weather", arguments: { location } };
    const holidays = { name: "get_holidays", arguments: { country: "ES" } };
    model.script({ toolCalls: [weather, holidays] }, { text: "Here it is" });
    await say("How is the weather, and which holidays are next?", { idempotency_key: location });
  }
  // A request again, one of nobody, and a model and a store that fail.
  await say("How is the weather, and which holidays are next?", { idempotency_key: "Rome" });
  await rawRequest(server.url);
  model.script({ status: 400 });
  const { body } = await say("Hi");
  const database = new DatabaseSync(join(server.dataDir, "parley.db"));
  database.exec("UPDATE turns SET steps = 'no JSON'");
  database.close();
  const request = { conversation_id: body.meta?.conversation_id };
  await callJson(server.url, "DescribeConversation", request, AUTHORIZED);
}

/** What Grafana's function of this name asks for, as a query: `label_values(metric{…}, label)`. */
function asQuery(definition: string): string {
  return definition.replace(/^label_values\((.*), (\w+)\)$/, "count by ($2) ($1)");
}

test.each(QUERIES)("%s asks for what there is", (_, query) => {
  expect(problemsOf(query, exposed)).toEqual([]);
});
