import dns, { type LookupAddress, type LookupAllOptions } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { Agent, buildConnector, Pool } from "undici";
import { AddressNotAllowedError } from "./http-client.ts";
import { type AllowRule, allowEntry, hostOf, mayReach, portOf } from "./outbound-rules.ts";

/** Node's `dns.lookup`, asked for all addresses of a name. */
export type Lookup = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface GuardedAgentOptions {
  readonly rules: readonly AllowRule[];
  /** Default: the system's resolver. */
  readonly lookup?: Lookup;
  readonly onRefusal?: (error: AddressNotAllowedError) => void;
}

/** A backstop, above what callers send at once: requests beyond wait for a connection. */
const CONNECTIONS_PER_ORIGIN = 1_024;
/** For the look-up, TCP and TLS together. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Connections to public addresses and to what the rules allow, and to nothing else. A name's addresses
 * are judged in the look-up whose result the socket connects to: there is no second one that could
 * answer differently (DNS rebinding). Of several addresses those that may not be reached are left out.
 *
 * Certificates are always checked, whatever NODE_TLS_REJECT_UNAUTHORIZED says, and proxies of the
 * environment are not used. HTTP/1.1 alone: a call has its socket for itself, and its abort closes it.
 */
export function guardedAgent(options: GuardedAgentOptions): Agent {
  return new Agent({
    connections: CONNECTIONS_PER_ORIGIN,
    allowH2: false,
    factory: (origin, settings) =>
      new Pool(origin, { ...settings, connect: connectorTo(new URL(origin), options) }),
  });
}

function connectorTo(origin: URL, options: GuardedAgentOptions): buildConnector.connector {
  const { rules, lookup = dns.lookup, onRefusal } = options;
  const host = hostOf(origin);
  const port = portOf(origin);
  const allowed = (address: string) => mayReach({ host, port, address }, rules);
  const refusal = (addresses: string) => {
    const error = new AddressNotAllowedError(
      `${host} leads to ${addresses}, which is not a public address. If it should be reached, add ${allowEntry(host, port)} to OUTBOUND_ALLOW.`,
    );
    onRefusal?.(error);
    return error;
  };

  // A socket does not look addresses up.
  if (isIP(host) && !allowed(host)) {
    return (_options, callback) => process.nextTick(callback, refusal(host), null);
  }
  const lookupAllowed: LookupFunction = (hostname, { all, ...rest }, callback) => {
    lookup(hostname, { ...rest, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const usable = addresses.filter(({ address }) => allowed(address));
      const [first] = usable;
      if (!first) return callback(refusal(addresses.map(({ address }) => address).join(", ")), []);
      if (all) callback(null, usable);
      else callback(null, first.address, first.family);
    });
  };
  return buildConnector({
    allowH2: false,
    rejectUnauthorized: true,
    timeout: CONNECT_TIMEOUT_MS,
    lookup: lookupAllowed,
  });
}
