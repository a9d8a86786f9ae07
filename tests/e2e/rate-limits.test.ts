import { afterEach, expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { rawRequest } from "../support/raw-http.ts";
import { describeRedis, startRedis } from "../support/redis.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const RPS = 10;
const BURST = 20;
const LIMITS = { API_RATE_LIMIT_RPS: String(RPS), API_RATE_LIMIT_BURST: String(BURST) };
const PROCESSES = 2;

let servers: RunningServer[] = [];
afterEach(async () => {
  for (const server of servers) await server.stop();
  servers = [];
});

/** Floods all servers, and says how many requests passed, and how many may have, where `counts` count apart. */
async function flood(counts: number): Promise<{ passed: number; allowed: number }> {
  const before = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, index) => rawRequest(servers[index % servers.length]?.url ?? "")),
  );
  const seconds = Math.floor((performance.now() - before) / 1_000) + 1;
  const statuses = new Set(answers.map(({ status }) => status));
  expect(statuses).toEqual(new Set([200, 429]));
  const passed = answers.filter(({ status }) => status === 200).length;
  return { passed, allowed: counts * (RPS * seconds + BURST) };
}

test("the rate limit of two workers is one, without Redis", async () => {
  servers = [await startServer({ env: { WORKERS: "2", ...LIMITS } })];
  const { passed, allowed } = await flood(1);
  expect(passed).toBeGreaterThanOrEqual(RPS + BURST);
  expect(passed).toBeLessThanOrEqual(allowed);
});

describeRedis("the rate limit of two servers on Redis", (start) => {
  const ready = async (status: string) => {
    for (const { url } of servers) {
      await eventually(async () => {
        const { body } = await rawRequest(url, { method: "GET", path: "/ready" });
        return JSON.parse(body).status === status;
      });
    }
  };

  async function open(port: number): Promise<void> {
    const env = { REDIS_URL: `redis://127.0.0.1:${port}`, ...LIMITS };
    servers = await Promise.all(Array.from({ length: PROCESSES }, () => startServer({ env })));
    await ready("ready");
  }

  test("is one: the limit and the burst pass, and no more", async () => {
    const { process } = await start(startRedis());
    await open(process.port);
    const { passed, allowed } = await flood(1);
    expect(passed).toBeGreaterThanOrEqual(RPS + BURST);
    expect(passed).toBeLessThanOrEqual(allowed);
  }, 60_000);

  test.each(["kill", "pause"] as const)(
    "is never none, nor for nobody, while Redis is away (%s)",
    async (strike) => {
      const { process } = await start(startRedis());
      await open(process.port);
      await process[strike]();
      const lost = await flood(PROCESSES);
      expect(lost.passed).toBeGreaterThanOrEqual(RPS + BURST);
      expect(lost.passed).toBeLessThanOrEqual(lost.allowed);
      await ready("degraded");
      if (strike === "kill") await process.restart();
      else process.resume();
      await ready("ready");
      // The burst of the minute may be used up; what the seconds allow is not.
      const back = await flood(1);
      expect(back.passed).toBeGreaterThanOrEqual(RPS);
      expect(back.passed).toBeLessThanOrEqual(back.allowed);
    },
    60_000,
  );
});
