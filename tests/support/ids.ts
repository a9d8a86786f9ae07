import type { IdGenerator } from "../../src/core/ids.ts";

/** 000…1, 000…2 and so on. */
export function countedIds(): IdGenerator {
  let count = 0;
  return { next: () => (++count).toString(16).padStart(24, "0") };
}
