import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { isIPv4, isIPv6 } from "node:net";
import type { Lookup } from "../../src/net/guarded-agent.ts";

const HEADER_BYTES = 12;
const CLASS_IN = 1;
const TYPES = { A: 1, AAAA: 28 };
const NAME_ERROR = 3;

/**
 * What a name leads to. With several lists each query of a type takes the next one, and the first again
 * after the last: a server that answers the same question differently every time.
 */
export type Zone = Readonly<Record<string, readonly (readonly string[])[]>>;

export interface DnsServer {
  /** Of the resolver that asks this server and no other; A and AAAA records come in one list. */
  readonly lookup: Lookup;
  close(): Promise<void>;
}

/** A name server (RFC 1035) with the A and AAAA records of a zone, on a UDP port of this machine. */
export async function startDnsServer(zone: Zone): Promise<DnsServer> {
  const asked = new Map<string, number>();
  const socket = createSocket("udp4", (query, { address, port }) => {
    const { name, type, end } = questionOf(query);
    const count = asked.get(`${type} ${name}`) ?? 0;
    asked.set(`${type} ${name}`, count + 1);
    const lists = zone[name];
    const records = lists?.[count % lists.length]?.filter(type === TYPES.A ? isIPv4 : isIPv6);
    socket.send(answer(query, end, type, records), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  return {
    lookup(hostname, _options, callback) {
      const questions = [resolver.resolve4(hostname), resolver.resolve6(hostname)];
      Promise.allSettled(questions).then(([a, aaaa]) => {
        const found = [a, aaaa].flatMap((outcome) => (outcome?.status === "fulfilled" ? outcome.value : []));
        if (found.length === 0)
          return callback(Object.assign(new Error(hostname), { code: "ENOTFOUND" }), []);
        const addresses = found.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
        callback(null, addresses);
      });
    },
    async close() {
      resolver.cancel();
      await new Promise<void>((resolve) => socket.close(resolve));
    },
  };
}

/** Section 4.1.2 of the RFC; `end` is where the question ends in the message. */
function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** The query's own header and question, made an answer; without records the name is not known. */
function answer(query: Buffer, end: number, type: number, records?: readonly string[]): Buffer {
  const head = Buffer.from(query.subarray(0, end));
  const ANSWER_AUTHORITATIVE = 0x8400;
  head.writeUInt16BE(ANSWER_AUTHORITATIVE | (records ? 0 : NAME_ERROR), 2);
  head.writeUInt16BE(records?.length ?? 0, 6);
  head.fill(0, 8, HEADER_BYTES);
  return Buffer.concat([head, ...(records ?? []).map((address) => record(type, address))]);
}

function record(type: number, address: string): Buffer {
  const data = isIPv4(address) ? Buffer.from(address.split(".").map(Number)) : ipv6Bytes(address);
  const fixed = Buffer.alloc(12);
  fixed.writeUInt16BE(0xc000 | HEADER_BYTES, 0); // the name is that of the question
  fixed.writeUInt16BE(type, 2);
  fixed.writeUInt16BE(CLASS_IN, 4);
  fixed.writeUInt32BE(0, 6); // not to be kept
  fixed.writeUInt16BE(data.length, 10);
  return Buffer.concat([fixed, data]);
}

function ipv6Bytes(address: string): Buffer {
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groupsOf = (part: string) => (part === "" ? [] : part.split(":"));
  const [left, right] = [groupsOf(head), groupsOf(tail ?? "")];
  const groups = [...left, ...Array(8 - left.length - right.length).fill("0"), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, "0")).join(""), "hex");
}
