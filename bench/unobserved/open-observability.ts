import { Registry } from "prom-client";
import { UNOBSERVED } from "../../src/core/turn-observer.ts";
import { createMeters } from "../../src/observability/metrics/meters.ts";
import type { StoreWatch } from "../../src/observability/stores.ts";
import type { Observability } from "../../src/open-observability.ts";

const stores: StoreWatch = {
  conversations: (_, store) => store,
  sessions: (_, store) => store,
  usage: (_, store) => store,
  cache: (_, cache) => cache,
};

/** In place of the server's: nothing of a turn is seen. */
export async function openObservability(): Promise<Observability> {
  const ignore = () => undefined;
  return {
    meters: createMeters(new Registry()),
    requests: { begin: () => ({ serve: (_, run) => run(), end: ignore }) },
    turns: UNOBSERVED,
    stores,
    model: (inner) => inner,
    refused: ignore,
    expect: ignore,
    fault: ignore,
    metrics: async () => ({ contentType: "text/plain", body: "" }),
    ownMetrics: async () => [],
  };
}
