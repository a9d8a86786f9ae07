import type { Lookup } from "../../src/net/guarded-agent.ts";
import { type Outbound, openOutbound } from "../../src/net/outbound.ts";
import { parseAllowRule } from "../../src/net/outbound-rules.ts";
import { TestLog } from "./test-log.ts";

export interface TestOutbound extends Outbound {
  readonly log: TestLog;
}

/** The way out of a server whose OUTBOUND_ALLOW has these entries. */
export function outboundAllowing(entries: readonly string[], lookup?: Lookup): TestOutbound {
  const rules = entries.map((entry) => {
    const rule = parseAllowRule(entry);
    if (!rule) throw new Error(`${entry} is no entry of OUTBOUND_ALLOW`);
    return rule;
  });
  const log = new TestLog();
  return { ...openOutbound({ rules, log, lookup }), log };
}

/** For servers that a test starts on 127.0.0.1. */
export function localOutbound(): TestOutbound {
  return outboundAllowing(["127.0.0.1"]);
}
