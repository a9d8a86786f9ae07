import { createServer, type Server } from "node:http";
import type { Registry } from "prom-client";

/** What the bot needs to be of use; undefined until it was tried. */
export interface Reachable {
  telegram?: boolean;
  server?: boolean;
}

/**
 * GET /health: the process is alive. GET /ready: 503 while Telegram or the server is out of reach.
 * GET /metrics: for Prometheus.
 */
export function createMonitor(reachable: Reachable, registry: Registry): Server {
  return createServer(async (request, response) => {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    const path = request.url?.split("?", 1)[0];
    if (request.method !== "GET") {
      answer(405, { error: "Only GET is served here." });
    } else if (path === "/health") {
      answer(200, { status: "ok" });
    } else if (path === "/ready") {
      // Nobody may have asked anything yet: the server counts as there until it was not.
      const ready = reachable.telegram === true && reachable.server !== false;
      answer(ready ? 200 : 503, { status: ready ? "ready" : "unready", ...reachable });
    } else if (path === "/metrics") {
      response.writeHead(200, { "content-type": registry.contentType }).end(await registry.metrics());
    } else {
      answer(404, { error: "There are /health, /ready and /metrics." });
    }
  });
}
