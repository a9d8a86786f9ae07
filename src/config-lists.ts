import { BlockList, isIP } from "node:net";
import { z } from "zod";
import { parseApiKeys } from "./core/api-key.ts";
import type { RateLimit } from "./core/rate-limiter.ts";

/** A variable that holds a list separated by commas; every entry's problem is told, by its position. */
function list<T>(read: (entry: string, problem: (message: string) => void) => T) {
  return z.string().transform((text, context) =>
    text.split(",").map((entry, index) =>
      read(entry.trim(), (message) => {
        context.addIssue({ code: "custom", message: `entry ${index + 1}: ${message}` });
      }),
    ),
  );
}

/** `key,name:key`: see {@link parseApiKeys}. */
export const apiKeys = () =>
  z
    .string()
    .transform((text, context) =>
      parseApiKeys(text, (message) => void context.addIssue({ code: "custom", message })),
    );

/** `name:rps:burst`: limits of single API keys, by their names. */
export const apiKeyLimits = () =>
  list((entry, problem): RateLimit & { readonly name: string } => {
    const [, name = "", rps, burst] = /^([^\s:]+):(\d{1,9}):(\d{1,9})$/.exec(entry) ?? [];
    if (name === "") problem("must be name:rps:burst, such as telegram:200:400");
    return { name, rps: Number(rps), burst: Number(burst) };
  });

/** IP addresses, and ranges of them in CIDR notation. */
export const networks = () =>
  list((entry, problem) => {
    const [address = "", prefix] = entry.split("/");
    const known = new BlockList();
    try {
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (prefix === undefined) known.addAddress(address, family);
      else known.addSubnet(address, /^\d+$/.test(prefix) ? Number(prefix) : -1, family);
    } catch {
      problem("must be an IP address or a range of them, such as 10.0.0.0/8");
    }
    return entry;
  });

/** Origins as browsers send them, such as `https://chat.example.com`. */
export const origins = () =>
  list((entry, problem) => {
    const url = URL.canParse(entry) ? new URL(entry) : undefined;
    if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
    problem("must be an origin such as https://chat.example.com, without a path");
    return entry;
  });
