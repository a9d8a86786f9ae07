import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runScript } from "../integration/migrations/processes.ts";
import { rpc } from "../support/raw-http.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const SLOW_CONNECTIONS = 500;
const OVERSIZE_BODIES = 100;
const MAX_GROWTH_MB = 50;
const QUIET_CALLS = 5_000;

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

function rssMb(): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(server.pid)], { encoding: "utf8" })) / 1_024;
}

/** A healthy client that calls as long as it is to: the time that 99 of 100 calls took at most, in milliseconds. */
async function healthyP99(goesOn: (calls: number) => boolean): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const headers = { "content-type": "application/json" };
  const times: number[] = [];
  while (goesOn(times.length)) {
    const before = performance.now();
    const call = request(server.url + rpc("ListConversations"), { method: "POST", agent, headers }).end("{}");
    const [response] = await once(call, "response");
    expect(response.statusCode).toBe(200);
    await once(response.resume(), "end");
    times.push(performance.now() - before);
  }
  agent.destroy();
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)] ?? 0;
}

test(`${SLOW_CONNECTIONS} slow connections and ${OVERSIZE_BODIES} oversize bodies harm nobody else`, async () => {
  const quietly = (calls: number) => calls < QUIET_CALLS;
  await healthyP99(quietly);
  const quiet = await healthyP99(quietly);
  const before = rssMb();

  let over = false;
  const args = [server.url, SLOW_CONNECTIONS, OVERSIZE_BODIES].map(String);
  const flooder = runScript(new URL("./flooder.ts", import.meta.url), args).finally(() => {
    over = true;
  });
  let peak = before;
  const watch = async () => {
    for (; !over; await delay(100)) peak = Math.max(peak, rssMb());
  };
  const [flooded, { stdout }] = await Promise.all([healthyP99(() => !over), flooder, watch()]);

  console.info(
    `A healthy client's p99: ${quiet.toFixed(2)} ms quiet, ${flooded.toFixed(2)} ms in the flood; ` +
      `RSS ${before.toFixed(0)} MB, at most ${peak.toFixed(0)} MB; oversize bodies by status: ${stdout}`,
  );
  expect(peak - before).toBeLessThan(MAX_GROWTH_MB);
  const { 429: tooLarge, 503: busy = 0, ...others } = JSON.parse(stdout);
  expect(tooLarge + busy).toBe(OVERSIZE_BODIES);
  expect(others).toEqual({});
}, 120_000);
