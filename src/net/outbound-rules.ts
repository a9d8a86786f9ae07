import { BlockList, isIP } from "node:net";
import { isPublicAddress } from "./public-address.ts";

/** Where a connection would go. */
export interface Destination {
  /** A name or an IP address, as {@link hostOf} gives it. */
  readonly host: string;
  readonly port: number;
  /** The IP address that the host stands for. */
  readonly address: string;
}

/**
 * One entry of OUTBOUND_ALLOW: whether it allows a destination that is not public. Where its address is
 * not known, only an entry that names the host does.
 */
export type AllowRule = (destination: Omit<Destination, "address"> & Partial<Destination>) => boolean;

/** Public addresses may always be reached, others when a rule allows it. */
export function mayReach(destination: Destination, rules: readonly AllowRule[]): boolean {
  return isPublicAddress(destination.address) || rules.some((allows) => allows(destination));
}

/** Whether an entry of OUTBOUND_ALLOW has the URL's very host, by its name or, where it is one, its address. */
export function isNamed(url: URL, rules: readonly AllowRule[]): boolean {
  const host = hostOf(url);
  const address = isIP(host) === 0 ? undefined : host;
  return rules.some((allows) => allows({ host, port: portOf(url), address }));
}

/** Of an http or https URL: without brackets and without the dot of a name that ends in one. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

/** Of an http or https URL, the scheme's own port included. */
export function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : 80;
}

/** `host:port` as OUTBOUND_ALLOW takes it. */
export function allowEntry(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The entry that OUTBOUND_ALLOW lacks for a URL that can be told without asking DNS to lead to an
 * address that may not be reached: an IP address in any notation, or a name of this machine
 * (`localhost`, RFC 6761). Undefined when nothing is lacking, or only DNS knows.
 */
export function missingEntry(url: URL, rules: readonly AllowRule[]): string | undefined {
  const host = hostOf(url);
  const port = portOf(url);
  const addresses = /^(.+\.)?localhost$/.test(host) ? ["127.0.0.1", "::1"] : [host];
  if (addresses.some((address) => !isIP(address) || mayReach({ host, port, address }, rules)))
    return undefined;
  return allowEntry(host, port);
}

const RANGE = /^([\d.a-f:]+)\/(\d{1,3})$/i;
const HOST_AND_PORT = /^(\[[^\s[\]]+\]|[^\s:;/@?#*[\]]+)(?::(\d{1,5}))?$/;

/**
 * Reads `host`, `host:port`, an IP address with or without a port, or a range such as `10.0.0.0/8`.
 * A name allows whatever addresses it has; an address or a range allows every name that leads there.
 *
 * @returns undefined when the entry is none of these.
 */
export function parseAllowRule(entry: string): AllowRule | undefined {
  const [, network, prefix] = RANGE.exec(entry) ?? [];
  if (network !== undefined) return rangeRule(network, Number(prefix));
  const [, name, port] = HOST_AND_PORT.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
  // The URL parser knows every way to write a name or an address.
  if (name === undefined || !URL.canParse(`http://${name}`) || Number(port) > 65_535) return undefined;
  const host = hostOf(new URL(`http://${name}`));
  const rule = rangeRule(host) ?? ((destination) => destination.host === host);
  return port === undefined ? rule : (destination) => destination.port === Number(port) && rule(destination);
}

/** Undefined when that is no range of addresses. */
function rangeRule(network: string, prefix?: number): AllowRule | undefined {
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(network)] ?? 0;
  if (bits === 0 || (prefix ?? bits) > bits) return undefined;
  const range = new BlockList();
  range.addSubnet(network, prefix ?? bits, familyOf(network));
  return ({ address }) => address !== undefined && range.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
