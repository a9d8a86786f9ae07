import { BlockList, isIPv6 } from "node:net";

/**
 * IPv4 networks that are not the public internet: those of IANA's IPv4 Special-Purpose Address
 * Registry, multicast and broadcast, and one cloud's metadata server outside of them.
 */
const SPECIAL_IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ["0.0.0.0", 8], // "this network", RFC 791: Linux takes it for loopback
  ["10.0.0.0", 8], // private, RFC 1918
  ["100.64.0.0", 10], // carriers' NAT, RFC 6598; metadata of Alibaba Cloud
  ["127.0.0.0", 8], // loopback, RFC 1122
  ["168.63.129.16", 32], // Azure's host: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
  ["169.254.0.0", 16], // link-local, RFC 3927; metadata of most clouds
  ["172.16.0.0", 12], // private, RFC 1918
  ["192.0.0.0", 24], // protocol assignments, RFC 6890; metadata of Oracle Cloud
  ["192.0.2.0", 24], // documentation, RFC 5737
  ["192.88.99.0", 24], // 6to4 relays, RFC 7526
  ["192.168.0.0", 16], // private, RFC 1918
  ["198.18.0.0", 15], // benchmarks, RFC 2544
  ["198.51.100.0", 24], // documentation, RFC 5737
  ["203.0.113.0", 24], // documentation, RFC 5737
  ["224.0.0.0", 4], // multicast, RFC 5771
  ["240.0.0.0", 4], // reserved, RFC 1112, and broadcast
];

/** The same within global unicast, by IANA's IPv6 Special-Purpose Address Registry. */
const SPECIAL_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ["2001::", 23], // protocol assignments, RFC 2928: Teredo and ORCHID among them
  ["2001:db8::", 32], // documentation, RFC 3849
  ["2002::", 16], // 6to4, RFC 3056: an IPv4 address in disguise
  ["3fff::", 20], // documentation, RFC 9637
];

/** Addresses whose last 32 bits are an IPv4 address that is what counts: NAT64, RFC 6052. */
const NAT64 = "64:ff9b::";

const routable = new BlockList();
routable.addSubnet("2000::", 3, "ipv6"); // all of global unicast, RFC 4291
routable.addSubnet(NAT64, 96, "ipv6");
routable.addSubnet("0.0.0.0", 0, "ipv4");

const special = new BlockList();
for (const [network, prefix] of SPECIAL_IPV4) {
  special.addSubnet(network, prefix, "ipv4");
  special.addSubnet(NAT64 + network, 96 + prefix, "ipv6");
}
for (const [network, prefix] of SPECIAL_IPV6) special.addSubnet(network, prefix, "ipv6");

/**
 * Whether an IP address is one of the public internet. An IPv4 address written as IPv6 (`::ffff:0:0/96`)
 * counts as what it stands for; what is no address at all is not public.
 */
export function isPublicAddress(address: string): boolean {
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  return routable.check(address, family) && !special.check(address, family);
}
