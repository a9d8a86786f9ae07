import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "@jest/globals";
import { ClientAddresses } from "../../../src/transport/incoming/client-address.ts";

/** What counts of a request. */
function from(remoteAddress: string, forwarded?: string): IncomingMessage {
  return {
    socket: { remoteAddress },
    headers: { "x-forwarded-for": forwarded },
  } as unknown as IncomingMessage;
}

const proxies = new ClientAddresses(["10.0.0.0/8", "::1", "2001:db8:ffff::/48"]);

describe("behind trusted proxies", () => {
  test.each([
    ["10.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["::1", "203.0.113.7", "203.0.113.7"],
    // What the client itself wrote stands before what the proxies added.
    ["10.0.0.1", "1.2.3.4, 203.0.113.7", "203.0.113.7"],
    ["10.0.0.1", "1.2.3.4,203.0.113.7 , 10.9.9.9,10.8.8.8", "203.0.113.7"],
    ["10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"],
    // Some proxies add ports and brackets.
    ["10.0.0.1", "203.0.113.7:4711", "203.0.113.7"],
    ["10.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"],
    ["10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"],
    ["2001:db8:ffff::9", "2001:db8:1:2::3", "2001:db8:1:2::/64"],
    // Nonsense is not gone beyond.
    ["10.0.0.1", "203.0.113.7, unknown", "10.0.0.1"],
    ["10.0.0.1", "203.0.113.7, x, 10.3.3.3", "10.3.3.3"],
    ["10.0.0.1", "", "10.0.0.1"],
    ["10.0.0.1", undefined, "10.0.0.1"],
  ])("%s with X-Forwarded-For %p is %s", (peer, forwarded, client) => {
    expect(proxies.of(from(peer, forwarded))).toBe(client);
  });
});

test("X-Forwarded-For of others is not believed, and told of", () => {
  let told = 0;
  const addresses = new ClientAddresses(["10.0.0.0/8"], () => told++);
  expect(addresses.of(from("203.0.113.7", "1.2.3.4"))).toBe("203.0.113.7");
  expect(told).toBe(1);
  addresses.of(from("203.0.113.7"));
  addresses.of(from("10.0.0.1", "1.2.3.4"));
  expect(told).toBe(1);
});

describe("one network of 64 bits", () => {
  test.each([
    ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"],
    ["2001:DB8:0001:2::", "2001:db8:1:2::9"],
    ["2001:db8::1", "2001:db8:0:0:1::"],
    ["fe80::1%eth0", "fe80::2"],
    ["64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2"],
    ["::2", "0:0:0:0:9::"],
  ])("has %s and %s", (one, two) => {
    expect(proxies.of(from(one))).toBe(proxies.of(from(two)));
  });

  test.each([
    ["2001:db8:1:2::1", "2001:db8:1:3::1"],
    ["2001:db8::1", "2001:db8:0:1::1"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.2"],
    ["192.0.2.1", "192.0.2.2"],
  ])("has not %s and %s", (one, two) => {
    expect(proxies.of(from(one))).not.toBe(proxies.of(from(two)));
  });
});
