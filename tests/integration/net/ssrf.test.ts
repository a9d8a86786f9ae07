import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ToolError } from "../../../src/core/assistant/tool.ts";
import { AppError } from "../../../src/core/errors.ts";
import { createOpenAIModel } from "../../../src/providers/openai/index.ts";
import { icalFeed } from "../../../src/tools/calendar/index.ts";
import { openMeteo, weatherApi } from "../../../src/tools/weather/index.ts";
import { attemptsDuring, type Listener, startListener } from "../../support/connections.ts";
import { type DnsServer, startDnsServer } from "../../support/dns-server.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";
import { outboundAllowing, type TestOutbound } from "../../support/outbound.ts";

/** An address of this machine that is allowed, so that something can be asked at all. */
const ALLOWED = "127.0.0.2";

/** Ways to write this machine's address: each reaches it by Node's own fetch, as a test shows. */
const LOOPBACK = [
  "127.0.0.1",
  "127.0.0.1.",
  "127.255.255.254",
  "2130706433",
  "2130706433.",
  "017700000001",
  "0x7f000001",
  "0x7F.0x0.0x0.0x1",
  "0177.0.0.1",
  "0177.0000.0000.0001",
  "127.1",
  "127.0.1",
  "0x7f.1",
  "0x7f.0.01",
  "１２７.０.０.１",
  "127。0。0。1",
  "127．0．0．1",
  "127｡0｡0｡1",
  "①②⑦.⓪.⓪.①",
  "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
  "%31%32%37.0.0.1",
  "127.0.0\t.1",
  "0.0.0.0",
  "0",
  "0x0",
  "00000",
  "０",
  "public.test@127.0.0.1",
  "public.test:80@127.0.0.1",
  "public.test%2F@127.0.0.1",
  ":@127.0.0.1",
  "localhost",
  "LOCALHOST",
  "loc%61lhost",
  "localhoſt",
  "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
];

const IPV6 = [
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[0000:0000:0000:0000:0000:0000:0000:0001]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[0:0:0:0:0:ffff:127.0.0.1]",
  "[::FFFF:A9FE:A9FE]",
  "[::127.0.0.1]",
  "[::7f00:1]",
  "[::ffff:0:127.0.0.1]",
  "[64:ff9b::127.0.0.1]",
  "[64:ff9b::a9fe:a9fe]",
  "[64:ff9b:1::7f00:1]",
  "[2002:7f00:1::]",
  "[2002:a9fe:a9fe::1]",
  "[2001:0:7f00:1::]",
  "[2001::80ff:fffe]",
  "[fe80::1]",
  "[fec0::1]",
  "[fc00::1]",
  "[fd00:ec2::254]",
  "[fd20:ce::254]",
  "[ff02::1]",
  "[100::1]",
  "[2001:db8::1]",
  "[3fff::1]",
  "[5f00::1]",
];

const PRIVATE_IPV4 = [
  "10.0.0.1",
  "10.255.255.255",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "192.168.255.254",
  "100.64.0.1",
  "100.100.100.200",
  "169.254.169.254",
  "169.254.170.2",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "168.63.129.16",
  "192.0.0.192",
  "192.0.2.1",
  "192.88.99.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "239.255.255.250",
  "240.0.0.1",
  "255.255.255.255",
];

const ZONE = {
  "public.test": [[ALLOWED]],
  localhost: [["127.0.0.1", "::1"]],
  "loopback.test": [["127.0.0.1"]],
  "loopback6.test": [["::1"]],
  "mapped.test": [["::ffff:127.0.0.1"]],
  "nat64.test": [["64:ff9b::7f00:1"]],
  "unspecified.test": [["0.0.0.0", "::"]],
  "private.test": [["10.0.0.1", "192.168.0.1", "fd00::1"]],
  "metadata.google.internal": [["169.254.169.254"]],
  "127.0.0.1.nip.test": [["127.0.0.1"]],
  "foo.localhost": [["127.0.0.1"]],
  "xn--bcher-kva.test": [["127.0.0.1"]],
  // Nothing listens there, and the next address may not be tried instead.
  "several.test": [[ALLOWED, "127.0.0.1", "::1"]],
  "rebinding.test": [[ALLOWED], ["127.0.0.1"]],
};
const NAMES = [
  "loopback.test",
  "LOOPBACK.test.",
  "loopback6.test",
  "mapped.test",
  "nat64.test",
  "unspecified.test",
  "private.test",
  "metadata.google.internal",
  "127.0.0.1.nip.test",
  "foo.localhost",
  "bücher.test",
  "public.test@loopback.test",
];

let dns: DnsServer;
/** Takes what must never come. */
let forbidden: Listener;
let outbound: TestOutbound;

beforeAll(async () => {
  dns = await startDnsServer(ZONE);
  forbidden = await startListener();
  outbound = outboundAllowing([ALLOWED], dns.lookup);
});
afterAll(async () => {
  await outbound.close();
  await forbidden.close();
  await dns.close();
});

const signal = new AbortController().signal;
const WEATHER = { location: "Bern", days: 1, units: "metric", signal } as const;

/** Everything that asks others, with that URL in its configuration. */
const FETCHERS: Record<string, (url: string) => Promise<unknown>> = {
  OpenAI: (baseUrl) => {
    const model = createOpenAIModel({ apiKey: "key", model: "m", baseUrl, http: outbound.streaming });
    const messages = [{ role: "user", content: "Hi" }] as const;
    return model.generate({ operation: "reply", messages, tools: [], locale: "en" }, signal);
  },
  "Open-Meteo": (url) =>
    openMeteo({ http: outbound.http, geocodingBaseUrl: url, forecastBaseUrl: url }).report(WEATHER),
  WeatherAPI: (baseUrl) => weatherApi({ http: outbound.http, apiKey: "key", baseUrl }).report(WEATHER),
  "calendar feed": (url) =>
    icalFeed({ http: outbound.http, url }).find({
      place: {},
      from: "2026-01-01",
      to: "2026-12-31",
      timezone: "UTC",
      signal,
    }),
};

/** What each fetcher says when it is sent to this URL, and how many connections were tried on the way. */
async function sendAll(url: string) {
  const failures: Record<string, string> = {};
  const attempts = await attemptsDuring(async () => {
    for (const [name, ask] of Object.entries(FETCHERS)) {
      failures[name] = await ask(url).then(() => "an answer", failureOf);
    }
  });
  return { failures, attempts };
}

function failureOf(error: unknown): string {
  if (error instanceof AppError) return `${error.meta.reason}: ${error.cause}`;
  return error instanceof ToolError ? error.message : String(error);
}

const REFUSED = {
  OpenAI: expect.stringMatching(/^model_rejected: .* not a public address.* OUTBOUND_ALLOW/s),
  "Open-Meteo": expect.stringContaining("private address"),
  WeatherAPI: expect.stringContaining("private address"),
  "calendar feed": expect.stringContaining("private address"),
};

test("the corpus is as large as it should be, and all of it can be asked", () => {
  const hosts = [...LOOPBACK, ...IPV6, ...PRIVATE_IPV4, ...NAMES];
  expect(new Set(hosts).size).toBeGreaterThanOrEqual(90);
  for (const host of hosts) expect([host, URL.canParse(`http://${host}:80/`)]).toEqual([host, true]);
});

describe("without the guard these reach this machine", () => {
  test.each(LOOPBACK.filter((host) => !host.includes("@")))("%s", async (host) => {
    const before = forbidden.connections;
    await fetch(`http://${host}:${forbidden.port}/`).catch(() => undefined);
    expect(forbidden.connections).toBeGreaterThan(before);
  });
});

describe("a URL to what is not public", () => {
  let before: number;
  beforeEach(() => {
    before = forbidden.connections;
  });

  test.each([...LOOPBACK, ...IPV6, ...PRIVATE_IPV4, ...NAMES])("%s", async (host) => {
    const { failures, attempts } = await sendAll(`http://${host}:${forbidden.port}`);
    expect(failures).toEqual(REFUSED);
    expect(attempts).toBe(0);
    expect(forbidden.connections).toBe(before);
  });

  test.each([
    ["https", "https://127.0.0.1:PORT"],
    ["a scheme in capitals", "HTTP://127.0.0.1:PORT"],
    ["no slashes", "http:127.0.0.1:PORT"],
    ["backslashes", "http:\\\\127.0.0.1:PORT"],
    ["a backslash before another host", "http://127.0.0.1:PORT\\@public.test"],
    ["a fragment that looks like another host", "http://127.0.0.1:PORT#@public.test"],
    ["a query that looks like another host", "http://127.0.0.1:PORT?@public.test"],
    ["a path that looks like another host", "http://127.0.0.1:PORT/http://public.test"],
    ["a blank before it", " http://127.0.0.1:PORT"],
  ])("%s", async (_what, form) => {
    const { failures, attempts } = await sendAll(form.replace("PORT", String(forbidden.port)));
    expect(failures).toEqual(REFUSED);
    expect(attempts).toBe(0);
    expect(forbidden.connections).toBe(before);
  });

  test("each refusal is in the log, with its cure", async () => {
    const lines = outbound.log.lines.length;
    await sendAll(`http://loopback.test:${forbidden.port}`);
    const logged = outbound.log.lines.slice(lines);
    expect(logged).toHaveLength(Object.keys(FETCHERS).length);
    for (const { level, message } of logged) {
      expect(level).toBe("warn");
      expect(message).toContain(`loopback.test leads to 127.0.0.1`);
      expect(message).toContain(`add loopback.test:${forbidden.port} to OUTBOUND_ALLOW`);
    }
  });
});

describe("a redirect from a public server", () => {
  let server: LocalServer;
  let redirect = { status: 0, location: "" };
  beforeAll(async () => {
    server = await localServer((_url, response) => {
      response.writeHead(redirect.status, { location: redirect.location, connection: "close" }).end();
    }, ALLOWED);
  });
  afterAll(() => server.close());

  const LOCATIONS = [
    "http://127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "http://2130706433:PORT/",
    "http://[::1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://localhost:PORT/",
    "http://loopback.test:PORT/",
    "http://public.test@127.0.0.1:PORT/",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/",
    "ftp://127.0.0.1:PORT/",
    "data:text/calendar,BEGIN:VCALENDAR",
  ];
  const cases = [301, 302, 303, 307, 308].flatMap((status) =>
    LOCATIONS.map((location) => [status, location] as const),
  );

  test.each(cases)("%i to %s", async (status, form) => {
    const before = forbidden.connections;
    const asked = server.requests.length;
    redirect = { status, location: form.replace("PORT", String(forbidden.port)) };
    const { failures, attempts } = await sendAll(server.url.replace(ALLOWED, "public.test"));
    expect(failures).toEqual({
      OpenAI: expect.stringMatching(new RegExp(`^model_rejected: .*${status}`)),
      "Open-Meteo": expect.stringContaining(`status ${status}`),
      WeatherAPI: expect.stringContaining(`status ${status}`),
      "calendar feed": expect.stringMatching(/private address|check HOLIDAY_CALENDAR_URL/),
    });
    // The public server was asked by each, and nobody else was.
    expect(server.requests.length - asked).toBe(4);
    expect(attempts).toBe(4);
    expect(forbidden.connections).toBe(before);
  });
});

describe("DNS", () => {
  test("of several addresses the forbidden ones are not tried, although the allowed one fails", async () => {
    const victim = await startListener("127.0.0.1");
    try {
      const { failures, attempts } = await sendAll(`http://several.test:${victim.port}`);
      expect(failures.OpenAI).toContain(`ECONNREFUSED ${ALLOWED}:${victim.port}`);
      expect(attempts).toBe(4);
      expect(victim.connections).toBe(0);
    } finally {
      await victim.close();
    }
  });

  test.each(Object.keys(FETCHERS))("rebinding: %s gets no answer but the allowed server's", async (name) => {
    const zone = await startDnsServer(ZONE);
    const allowed = await startListener(ALLOWED);
    const victim = await startListener("127.0.0.1", allowed.port);
    const previous = outbound;
    outbound = outboundAllowing([ALLOWED], zone.lookup);
    try {
      const failures: string[] = [];
      for (let round = 0; round < 6; round++) {
        const ask = FETCHERS[name]?.(`http://rebinding.test:${allowed.port}`);
        failures.push(await (ask ?? Promise.resolve()).then(() => "an answer", failureOf));
      }
      // Every other look-up leads to this machine.
      const refused = failures.map((failure) => /private address|not a public address/.test(failure));
      expect(refused).toEqual([false, true, false, true, false, true]);
      expect(allowed.connections).toBe(3);
      expect(victim.connections).toBe(0);
    } finally {
      await outbound.close();
      outbound = previous;
      await Promise.all([allowed.close(), victim.close(), zone.close()]);
    }
  });
});
