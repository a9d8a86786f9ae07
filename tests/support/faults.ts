import type { ConversationStore } from "../../src/core/chat/conversation-store.ts";
import { AppError } from "../../src/core/errors.ts";

/** What happens to one call of a store instead of the call alone. */
export type Fault = (call: () => Promise<unknown>) => Promise<unknown>;

type Method = keyof ConversationStore;

/** The call does not reach the store. */
export const fails: Fault = async () => {
  throw new AppError("unavailable", "The store is down.");
};

/** The call does its work, and its answer is lost. */
export const losesAnswer: Fault = async (call) => {
  await call();
  throw new AppError("unavailable", "The store's answer was lost.");
};

/** The call waits for the promise first. */
export function waitsFor(promise: Promise<unknown>): Fault {
  return async (call) => {
    await promise;
    return call();
  };
}

/** A real store whose next calls of a method may go wrong, and that counts its calls. */
export interface FaultyStore extends ConversationStore {
  /** Calls of the method meet these faults in order; `undefined` lets one pass. */
  plan(method: Method, ...faults: (Fault | undefined)[]): void;
  /** All calls without a plan meet what this gives. */
  planAll(next: () => Fault | undefined): void;
  count(method: Method): number;
}

export function faultyStore(store: ConversationStore): FaultyStore {
  const planned = new Map<string, (Fault | undefined)[]>();
  const counts = new Map<string, number>();
  let unplanned: () => Fault | undefined = () => undefined;
  const extra = {
    plan(method: Method, ...faults: (Fault | undefined)[]) {
      planned.set(method, [...(planned.get(method) ?? []), ...faults]);
    },
    planAll(next: () => Fault | undefined) {
      unplanned = next;
    },
    count: (method: Method) => counts.get(method) ?? 0,
  };
  return new Proxy(store, {
    get(target, name: string) {
      if (name in extra) return Reflect.get(extra, name);
      return (...args: unknown[]) => {
        counts.set(name, (counts.get(name) ?? 0) + 1);
        const call = async () => Reflect.apply(Reflect.get(target, name), target, args);
        const plan = planned.get(name);
        const fault = plan?.length ? plan.shift() : unplanned();
        return fault ? fault(call) : call();
      };
    },
  }) as FaultyStore;
}
