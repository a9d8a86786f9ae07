import { SpanKind } from "@opentelemetry/api";
import type { Cache } from "../core/cache.ts";
import type { ConversationStore } from "../core/chat/conversation-store.ts";
import type { SessionStore } from "../core/chat/session-store.ts";
import { AppError } from "../core/errors.ts";
import type { UsageStore } from "../core/ledger/usage-store.ts";
import type { Telemetry } from "./telemetry.ts";
import { errorType, markFailed } from "./tracing.ts";

/** What a port's values are kept in. */
export type StoreName = "sqlite" | "mongodb" | "redis";

export type StoreWatch = ReturnType<typeof watchStores>;

/** Meters and a span for each operation of a store. */
export function watchStores({ meters, tracing }: Telemetry) {
  function watcher(store: StoreName, port: string) {
    return <Arguments extends unknown[], Result>(
      name: string,
      run: (...args: Arguments) => Promise<Result>,
    ): ((...args: Arguments) => Promise<Result>) => {
      const operation = `${port}.${name}`;
      const seconds = meters.stores.seconds.of(store, operation);
      const errors = meters.stores.errors.of(store, operation);
      const spanOptions = {
        kind: SpanKind.CLIENT,
        attributes: { "db.system.name": store, "db.operation.name": operation },
      };
      return (...args) => {
        const startedAt = performance.now();
        // Not made the active one: a store has no spans beneath its own.
        const span = tracing?.startChild(operation, spanOptions);
        const ended = () => {
          seconds.observe((performance.now() - startedAt) / 1000);
          span?.end();
        };
        const result = run(...args);
        result.then(ended, (error) => {
          if (isStoreFailure(error)) errors.value++;
          if (span) markFailed(span, errorType(error));
          ended();
        });
        return result;
      };
    };
  }

  return {
    conversations(name: StoreName, store: ConversationStore): ConversationStore {
      const watched = watcher(name, "conversations");
      return {
        beginTurn: watched("beginTurn", store.beginTurn.bind(store)),
        saveStep: watched("saveStep", store.saveStep.bind(store)),
        endTurn: watched("endTurn", store.endTurn.bind(store)),
        recordCalls: watched("recordCalls", store.recordCalls.bind(store)),
        renewLease: watched("renewLease", store.renewLease.bind(store)),
        takeOverTurn: watched("takeOverTurn", store.takeOverTurn.bind(store)),
        reopenTurn: watched("reopenTurn", store.reopenTurn.bind(store)),
        listExpiredTurns: watched("listExpiredTurns", store.listExpiredTurns.bind(store)),
        findTurn: watched("findTurn", store.findTurn.bind(store)),
        findTurnByKey: watched("findTurnByKey", store.findTurnByKey.bind(store)),
        listTurns: watched("listTurns", store.listTurns.bind(store)),
        findConversation: watched("findConversation", store.findConversation.bind(store)),
        listConversations: watched("listConversations", store.listConversations.bind(store)),
        setTitle: watched("setTitle", store.setTitle.bind(store)),
        ping: store.ping.bind(store),
      };
    },
    sessions(name: StoreName, store: SessionStore): SessionStore {
      const watched = watcher(name, "sessions");
      return {
        resolve: watched("resolve", store.resolve.bind(store)),
        bind: watched("bind", store.bind.bind(store)),
      };
    },
    usage(name: StoreName, store: UsageStore): UsageStore {
      const watched = watcher(name, "usage");
      return {
        sumUsage: watched("sumUsage", store.sumUsage.bind(store)),
        catchUp: watched("catchUp", store.catchUp.bind(store)),
      };
    },
    cache(name: StoreName, cache: Cache): Cache {
      const watched = watcher(name, "cache");
      return {
        get: watched("get", cache.get.bind(cache)),
        set: watched("set", cache.set.bind(cache)),
      };
    },
  };
}

/** Whether the store failed, and not the request. */
function isStoreFailure(error: unknown): boolean {
  return !(error instanceof AppError) || error.code === "unavailable" || error.code === "internal";
}
