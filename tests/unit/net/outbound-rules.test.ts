import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Destination, mayReach, missingEntry, parseAllowRule } from "../../../src/net/outbound-rules.ts";
import { isPublicAddress } from "../../../src/net/public-address.ts";

describe("what is public", () => {
  test.each([
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450::1",
    "2001:200::1",
    "2003::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
  ])("%s", (address) => expect(isPublicAddress(address)).toBe(true));

  test.each([
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "198.19.255.255",
    "255.255.255.255",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "2001:1ff:ffff::",
    "2002:808:808::",
    "fe80::1%eth0",
    "localhost",
    "",
  ])("not '%s'", (address) => expect(isPublicAddress(address)).toBe(false));

  test("an IPv4 address is the same in IPv6's clothes", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(isPublicAddress(`::ffff:${address}`)).toBe(isPublicAddress(address));
        expect(isPublicAddress(`64:ff9b::${address}`)).toBe(isPublicAddress(address));
      }),
    );
  });
});

describe("an entry of OUTBOUND_ALLOW", () => {
  const ollama: Destination = { host: "ollama.internal", port: 11_434, address: "10.1.2.3" };
  const loopback: Destination = { host: "localhost", port: 80, address: "::1" };

  test.each<[string, Destination, boolean]>([
    ["ollama.internal", ollama, true],
    ["OLLAMA.Internal.", ollama, true],
    ["ollama.internal:11434", ollama, true],
    ["ollama.internal:80", ollama, false],
    ["internal", ollama, false],
    ["x.ollama.internal", ollama, false],
    ["10.1.2.3", ollama, true],
    ["10.1.2.3:11434", ollama, true],
    ["10.1.2.3:80", ollama, false],
    ["10.1.2.4", ollama, false],
    ["10.0.0.0/8", ollama, true],
    ["10.1.2.3/32", ollama, true],
    ["10.2.0.0/16", ollama, false],
    ["0.0.0.0/0", ollama, true],
    ["::1", loopback, true],
    ["[::1]", loopback, true],
    ["[::1]:80", loopback, true],
    ["[::1]:443", loopback, false],
    ["0:0:0:0:0:0:0:1", loopback, true],
    ["::/127", loopback, true],
    ["localhost", loopback, true],
    ["127.0.0.1", loopback, false],
    ["127.0.0.1", { ...loopback, address: "::ffff:127.0.0.1" }, true],
  ])("%s for %j: %j", (entry, destination, allowed) => {
    const rule = parseAllowRule(entry);
    expect(rule?.(destination)).toBe(allowed);
    expect(mayReach(destination, rule ? [rule] : [])).toBe(allowed);
  });

  test.each([
    "",
    "*",
    "*.internal",
    "http://localhost",
    "localhost/v1",
    "user@localhost",
    "local host",
    "a.internal;b.internal",
    "localhost:http",
    "localhost:65536",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/8:80",
    "host/8",
    "1.2.3.4.5",
    "[::1",
    "[localhost]",
  ])("not '%s'", (entry) => expect(parseAllowRule(entry)).toBeUndefined());
});

describe("the entry that a URL lacks", () => {
  test.each([
    ["http://localhost:11434/v1", "localhost:11434"],
    ["http://LocalHost./", "localhost:80"],
    ["https://api.localhost/", "api.localhost:443"],
    ["http://2130706433/", "127.0.0.1:80"],
    ["https://[::1]:8443/", "[::1]:8443"],
    ["http://192.168.1.9:1234/", "192.168.1.9:1234"],
    ["https://api.openai.com/v1", undefined],
    ["https://8.8.8.8/", undefined],
    // DNS alone knows where these lead.
    ["http://ollama:11434/", undefined],
    ["http://localhost.example/", undefined],
  ])("%s: %s", (url, entry) => {
    expect(missingEntry(new URL(url), [])).toBe(entry);
    const rule = parseAllowRule(entry ?? "none");
    expect(missingEntry(new URL(url), rule ? [rule] : [])).toBeUndefined();
  });

  test("is none for localhost when either of its addresses is allowed", () => {
    for (const entry of ["127.0.0.1", "[::1]:11434", "127.0.0.0/8"]) {
      const rule = parseAllowRule(entry);
      expect(missingEntry(new URL("http://localhost:11434"), rule ? [rule] : [])).toBeUndefined();
    }
  });
});
