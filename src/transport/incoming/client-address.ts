import type { IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv6 } from "node:net";

type Connection = IncomingMessage["socket"];

/** Tells which address a request comes from. */
export class ClientAddresses {
  readonly #proxies = new BlockList();
  /** Of connections whose requests name no other. */
  readonly #bySocket = new WeakMap<Connection, string>();
  readonly #onUntrusted: () => void;

  /**
   * @param proxies IP addresses and ranges whose X-Forwarded-For is believed.
   * @param onUntrusted is called when another address sends that header.
   */
  constructor(proxies: readonly string[], onUntrusted: () => void = () => undefined) {
    this.#onUntrusted = onUntrusted;
    for (const proxy of proxies) {
      const [address = "", prefix] = proxy.split("/");
      if (prefix === undefined) this.#proxies.addAddress(address, family(address));
      else this.#proxies.addSubnet(address, Number(prefix), family(address));
    }
  }

  /**
   * The address nearest to the server that is no trusted proxy's: what stands before it in
   * X-Forwarded-For anyone may have written. The addresses of one IPv6 network of 64 bits count as
   * one, since a single machine has them all (RFC 6177).
   */
  of({ socket, headers }: IncomingMessage): string {
    const forwarded = headers["x-forwarded-for"];
    if (forwarded !== undefined) return network(this.#nearestUntrusted(socket, String(forwarded)));
    const known = this.#bySocket.get(socket) ?? network(plain(socket.remoteAddress ?? ""));
    this.#bySocket.set(socket, known);
    return known;
  }

  #nearestUntrusted(socket: Connection, forwarded: string): string {
    let nearest = plain(socket.remoteAddress ?? "");
    if (!this.#trusts(nearest)) {
      this.#onUntrusted();
      return nearest;
    }
    for (const hop of forwarded.split(",").reverse()) {
      const address = plain(hop.trim());
      if (isIP(address) === 0) return nearest;
      nearest = address;
      if (!this.#trusts(address)) return address;
    }
    return nearest;
  }

  #trusts(address: string): boolean {
    return isIP(address) !== 0 && this.#proxies.check(address, family(address));
  }
}

function family(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}

/** An address without a port, brackets or a zone, and an IPv4 address as such. */
function plain(text: string): string {
  const [, bracketed, ipv4] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  const [address = ""] = (bracketed ?? ipv4 ?? text).split("%", 1);
  return address.replace(/^::ffff:(?=[\d.]+$)/i, "");
}

function network(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.toLowerCase().split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const left = groups(head);
  const right = groups(tail ?? "");
  // A tail in IPv4's notation stands for two groups, which makes no difference to the first four.
  const width = 8 - left.length - right.length - (address.includes(".") ? 1 : 0);
  const all = [...left, ...Array<string>(tail === undefined ? 0 : width).fill("0"), ...right];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
