import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, test } from "@jest/globals";
import { chunk, type RawReply, writeRaw } from "../../support/raw-sse.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { OUTCOMES } from "./outcomes.ts";
import { expectNoSurprise, obedientModel, tcpFault, tryFault, upstream } from "./world.ts";

const REPLIES: Record<string, RawReply> = {
  "status 500": { status: 500, raw: ["{}"], ending: "end" },
  "status 503, once": { status: 503, raw: ["{}"], ending: "end" },
  "status 429": { status: 429, raw: ["{}"], ending: "end" },
  "status 401": { status: 401, raw: ["{}"], ending: "end" },
  "status 400": { status: 400, raw: ["{}"], ending: "end" },
  "a web page": { headers: { "content-type": "text/html" }, raw: ["<h1>Hello</h1>"], ending: "end" },
  "an empty answer": { raw: [chunk({}, "stop")] },
  "malformed JSON in the stream": { raw: ["data: {nonsense\n\n"] },
  "a stream that breaks off in mid-answer": { raw: [chunk({ content: "Half" })], ending: "disconnect" },
};

let model: Awaited<ReturnType<typeof upstream>>;
let proxy: TcpProxy;
let server: RunningServer;

beforeAll(async () => {
  model = await upstream(obedientModel);
  proxy = await TcpProxy.start(model.port);
  server = await startServer({
    env: {
      OPENAI_BASE_URL: `http://127.0.0.1:${proxy.port}/v1`,
      MODEL_TIMEOUT_SECONDS: "1",
      RETRY_BASE_DELAY_MS: "10",
      CIRCUIT_BREAKER_MAX_FAILURES: "1000",
    },
  });
});
afterAll(async () => {
  await server.stop();
  await proxy.close();
  await model.close();
  expectNoSurprise(server);
});

test.each(OUTCOMES.openai)(
  "the model's server: $fault",
  async (outcome) => {
    const { fault } = outcome;
    const reply = REPLIES[fault];
    const answer = (_: unknown, response: ServerResponse) => writeRaw(response, reply ?? { raw: [] });
    await tryFault({
      server,
      outcome,
      question: "question",
      wellAnswered: /question$/,
      harm() {
        if (fault.endsWith("once")) model.once(answer);
        else if (reply) model.fault = answer;
        else proxy.fault = tcpFault(fault);
      },
      mend() {
        model.fault = undefined;
        proxy.fault = undefined;
      },
      struck: () => model.met + proxy.met,
    });
  },
  30_000,
);
