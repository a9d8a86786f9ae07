import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createMetrics } from "../../../bots/telegram/metrics.ts";
import { Admission } from "../../../src/transport/incoming/admission.ts";
import { ClientAddresses } from "../../../src/transport/incoming/client-address.ts";
import { Cors } from "../../../src/transport/incoming/cors.ts";
import { RequestLimits } from "../../../src/transport/incoming/request-limits.ts";
import { Aimock } from "../../support/aimock.ts";
import { startTestApp } from "../../support/app.ts";
import { openHttpServer } from "../../support/http-server.ts";
import { readSamples, scrape } from "../../support/metrics.ts";
import { rawRequest } from "../../support/raw-http.ts";
import { describeWith } from "../../support/system-program.ts";
import { callJson, post } from "../../support/twirp.ts";

const KEY = "0123456789abcdef-metrics";
const AUTHORIZED = { authorization: `Bearer ${KEY}` };
const START = "/twirp/acai.chat.ChatService/StartConversation";

/** Every metric with its labels: what dashboards and alerts are written by. */
const METRICS: Readonly<Record<string, readonly string[]>> = {
  http_requests_total: ["method", "path", "status"],
  http_request_duration_seconds: ["method", "path"],
  http_requests_in_flight: [],
  openai_tokens_input_total: ["operation", "model", "platform", "user_id"],
  openai_tokens_output_total: ["operation", "model", "platform", "user_id"],
  openai_tokens_total: ["operation", "model", "platform", "user_id"],
  openai_requests_total: ["operation", "model", "platform", "user_id", "status"],
  openai_request_duration_ms: ["operation", "model", "platform", "user_id"],
  llm_tokens_input_total: ["provider", "operation", "model", "platform", "user_id"],
  llm_tokens_output_total: ["provider", "operation", "model", "platform", "user_id"],
  llm_tokens_total: ["provider", "operation", "model", "platform", "user_id"],
  llm_requests_total: ["provider", "operation", "model", "platform", "user_id", "status"],
  llm_request_duration_seconds: ["provider", "operation", "model", "platform"],
  llm_first_token_seconds: ["provider", "model"],
  llm_cost_usd_total: ["provider", "model"],
  llm_calls_without_price_total: ["provider", "model"],
  circuit_breaker_state: ["name"],
  weather_circuit_state: [],
  circuit_breaker_transitions_total: ["name", "to"],
  upstream_retries_total: ["name"],
  upstream_retry_budget_exhausted_total: ["name"],
  upstream_rejected_total: ["name", "reason"],
  tool_calls_total: ["tool", "outcome"],
  tool_call_duration_seconds: ["tool"],
  cache_requests_total: ["cache", "result"],
  turns_total: ["outcome"],
  turn_duration_seconds: ["outcome"],
  turns_running: [],
  turns_waiting: [],
  turns_taken_over_total: [],
  turns_replayed_total: [],
  store_operation_duration_seconds: ["store", "operation"],
  store_operation_errors_total: ["store", "operation"],
  requests_shed_total: ["reason"],
  unhandled_errors_total: [],
  parley_build_info: ["version", "store"],
};

let model: Aimock;
let app: Awaited<ReturnType<typeof startTestApp>>;

const samples = async () => readSamples(await scrape(app.url, KEY));
const ask = (message: string, fields: object = {}) =>
  callJson(app.url, "StartConversation", { message, ...fields }, AUTHORIZED);

beforeAll(async () => {
  model = await Aimock.start();
  model.always(({ messages }) => messages[0]?.content?.startsWith("Name the subject") ?? false, {
    text: "A title",
    usage: { prompt_tokens: 7, completion_tokens: 2 },
  });
  app = await startTestApp({
    API_KEYS: `ops:${KEY}`,
    OPENAI_BASE_URL: model.baseUrl,
    OPENAI_MODEL: "gpt-5-mini",
  });
});

afterAll(async () => {
  await app.stop();
  await model.close();
});

describe("GET /metrics", () => {
  test("has every metric with its labels after a turn with tools", async () => {
    model.script(
      {
        toolCalls: [
          { name: "get_holidays", arguments: { country: "ES" } },
          { name: "no_such_tool", arguments: {} },
        ],
        usage: { prompt_tokens: 100, completion_tokens: 20 },
      },
      { text: "A holiday.", usage: { prompt_tokens: 150, completion_tokens: 30 } },
    );
    const sessionMetadata = { platform: "web", user_id: "u1", chat_id: "c1" };
    expect(await ask("Which holidays are next?", { session_metadata: sessionMetadata })).toMatchObject({
      status: 200,
    });
    const page = await scrape(app.url, KEY);
    const seen = new Map<string, ReadonlySet<string>>();
    for (const sample of readSamples(page).keys()) {
      const [series = "", labels = ""] = sample.split("{", 2);
      const name = METRICS[series] ? series : series.replace(/_(bucket|sum|count)$/, "");
      const names = [...labels.matchAll(/(\w+)="/g)].map(([, label = ""]) => label);
      seen.set(name, new Set(names.filter((label) => label !== "le")));
    }
    const own = [...seen].filter(([name]) => !/^(process|nodejs)_/.test(name));
    expect(Object.fromEntries(own)).toEqual(
      Object.fromEntries(Object.entries(METRICS).map(([name, labels]) => [name, new Set(labels)])),
    );
    expect([...seen.keys()]).toEqual(
      expect.arrayContaining([
        "nodejs_eventloop_lag_seconds",
        "nodejs_heap_size_used_bytes",
        "process_resident_memory_bytes",
      ]),
    );
    // It has no samples before the first collection.
    expect(page).toContain("# TYPE nodejs_gc_duration_seconds histogram");

    const read = readSamples(page);
    const openai = 'model="gpt-5-mini",operation="reply",platform="web"';
    expect(read.get(`openai_tokens_input_total{${openai},user_id=""}`)).toBe(250);
    expect(read.get(`openai_tokens_output_total{${openai},user_id=""}`)).toBe(50);
    expect(read.get(`openai_tokens_total{${openai},user_id=""}`)).toBe(300);
    expect(read.get(`openai_requests_total{${openai},status="ok",user_id=""}`)).toBe(2);
    expect(read.get(`openai_request_duration_ms_count{${openai},user_id=""}`)).toBe(2);
    expect(read.get(`llm_tokens_total{${openai},provider="openai",user_id=""}`)).toBe(300);
    const titles = 'model="gpt-5-mini",operation="title",platform="web",provider="openai"';
    expect(read.get(`llm_tokens_total{${titles},user_id=""}`)).toBe(9);
    // 250 input tokens at $0.25 a million and 50 output tokens at $2, and the title's.
    expect(read.get('llm_cost_usd_total{model="gpt-5-mini",provider="openai"}')).toBeGreaterThan(0.000_162);
    expect(read.get('tool_calls_total{outcome="ok",tool="get_holidays"}')).toBe(1);
    expect(read.get('tool_calls_total{outcome="unknown_tool",tool="unknown"}')).toBe(1);
    expect(read.get('cache_requests_total{cache="get_holidays",result="miss"}')).toBe(1);
    expect(read.get('turns_total{outcome="completed"}')).toBe(1);
    expect(read.get("turns_running")).toBe(0);
    expect(read.get("turns_waiting")).toBe(0);
    expect(
      read.get('store_operation_duration_seconds_count{operation="conversations.saveStep",store="sqlite"}'),
    ).toBe(1);
    expect(read.get(`http_requests_total{method="POST",path="${START}",status="200"}`)).toBe(1);
    expect(read.get("http_requests_in_flight")).toBe(1);
    expect(read.get('circuit_breaker_state{name="model:openai"}')).toBe(0);
  });

  test("is for those with a key, and counts who has none", async () => {
    const before = await samples();
    expect((await fetch(`${app.url}/metrics`)).status).toBe(401);
    const wrong = { authorization: "Bearer wrong-0123456789" };
    expect((await fetch(`${app.url}/metrics`, { headers: wrong })).status).toBe(401);
    const after = await samples();
    const shed = 'requests_shed_total{reason="unauthenticated"}';
    expect((after.get(shed) ?? 0) - (before.get(shed) ?? 0)).toBe(2);
    const refused = 'http_requests_total{method="GET",path="/metrics",status="401"}';
    expect(after.get(refused)).toBe(2);
  });

  test("is text that Prometheus reads, and is not kept", async () => {
    const { headers } = await fetch(`${app.url}/metrics`, { headers: AUTHORIZED });
    expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(headers.get("cache-control")).toBe("no-store");
  });
});

test("GET /metrics is answered while the server stops, and when it has too much to do", async () => {
  const limits = new RequestLimits({
    limit: { rps: 0, burst: 0 },
    keys: [],
    createLimiter: () => {
      throw new Error("There is no limit");
    },
    addresses: new ClientAddresses([]),
  });
  const load = { overloaded: true };
  const cors = new Cors([]);
  const { server } = openHttpServer(async () => ({ conversations: [], nextPageToken: "" }), {
    admission: new Admission({ load, cors, keys: [], limits, localOnly: false }),
    metrics: async () => ({ contentType: "text/plain", body: "up 1" }),
  });
  const url = await server.listen("127.0.0.1", 0);
  const statuses = async () => [
    (await rawRequest(url, { method: "GET", path: "/metrics" })).status,
    (await rawRequest(url)).status,
  ];
  expect(await statuses()).toEqual([200, 503]);
  load.overloaded = false;
  expect(await statuses()).toEqual([200, 200]);
  server.drain();
  expect(await statuses()).toEqual([200, 503]);
  await server.close(0);
});

describe("what is counted", () => {
  test("a failed call, a retry, a failed turn and a replayed one", async () => {
    const before = await samples();
    model.script({ status: 503 }, { text: "Back." }, { status: 401, message: "No such key." });
    const key = { idempotency_key: "twice" };
    await ask("Hello", key);
    await ask("Hello", key);
    expect(await ask("And again?")).toMatchObject({ status: 412 });
    const after = await samples();
    const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const failed = 'model="gpt-5-mini",operation="reply",platform="",status="failed",user_id=""';
    expect(grown(`openai_requests_total{${failed}}`)).toBe(2);
    expect(grown('upstream_retries_total{name="model:openai"}')).toBe(1);
    expect(grown('turns_total{outcome="failed"}')).toBe(1);
    expect(grown('turns_total{outcome="completed"}')).toBe(1);
    expect(grown("turns_replayed_total")).toBe(1);
    expect(grown("unhandled_errors_total")).toBe(0);
  });

  test("users for themselves, where that is wanted, and only so many", async () => {
    const own = await startTestApp({ METRICS_USER_ID: "true", METRICS_MAX_USERS: "2" });
    for (const user_id of ["ann", "bob", "cleo", "dan", "ann"]) {
      const session_metadata = { platform: "web", user_id, chat_id: "1" };
      await callJson(own.url, "StartConversation", { message: "Hello", session_metadata });
    }
    const read = readSamples(await scrape(own.url));
    const series = 'model="demo",operation="reply",platform="web",provider="demo",status="ok"';
    const calls = ["ann", "bob", "other"].map((user) =>
      read.get(`llm_requests_total{${series},user_id="${user}"}`),
    );
    expect(calls).toEqual([2, 1, 2]);
    expect([...read.keys()].join()).not.toMatch(/cleo|dan/);
    expect(read.get('llm_calls_without_price_total{model="demo",provider="demo"}')).toBe(0);
    await own.stop();
  });

  test("no series for junk in paths, methods and platforms", async () => {
    const junk = async (round: number) => {
      for (let i = 0; i < 300; i++) {
        const id = `${round}-${i}`;
        await post(app.url, `Junk${id}`, "{}", { ...AUTHORIZED, "content-type": "application/json" });
        await fetch(`${app.url}/junk/${id}?x=${id}`, { method: i % 2 ? "PROPFIND" : "DELETE" });
      }
    };
    const names = async () =>
      [...(await samples()).keys()].filter((name) => !/^(process|nodejs)_/.test(name));
    await junk(0);
    const before = await names();
    await junk(1);
    expect(await names()).toEqual(before);
    expect(before.join("\n")).not.toMatch(/[jJ]unk|PROPFIND/);
  });
});

describeWith({ program: "promtool", debianPackage: "prometheus" }, "promtool check metrics", () => {
  async function problemsOf(page: string): Promise<string[]> {
    const promtool = spawn("promtool", ["check", "metrics"]);
    promtool.stdin.end(page);
    const [out, problems] = await Promise.all([text(promtool.stdout), text(promtool.stderr)]);
    return `${out}${problems}`.split("\n").filter((line) => line !== "");
  }

  test("finds nothing on /metrics but the unit in a name that dashboards already use", async () => {
    expect(await problemsOf(await scrape(app.url, KEY))).toEqual([
      "openai_request_duration_ms metric names should not contain abbreviated units",
    ]);
  });

  test("finds nothing in the bot's metrics", async () => {
    expect(await problemsOf(await createMetrics(() => 0).registry.metrics())).toEqual([]);
  });

  test("finds what is wrong", async () => {
    expect(await problemsOf("# TYPE oops counter\noops 1\n")).not.toEqual([]);
  });
});
