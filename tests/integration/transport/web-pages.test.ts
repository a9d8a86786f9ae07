import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApp } from "../../support/app.ts";
import { rawRequest } from "../../support/raw-http.ts";

type App = Awaited<ReturnType<typeof startTestApp>>;

const LISTED = "https://chat.example.com";
const FOREIGN = "https://evil.example";
const KEY = "ann-secret-0123456789";
const PREFLIGHT = {
  method: "OPTIONS",
  headers: {
    origin: LISTED,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
  },
};

describe("a server on this machine, without keys", () => {
  let app: App;
  beforeAll(async () => {
    app = await startTestApp({ CORS_ORIGINS: LISTED });
  });
  afterAll(() => app.stop());

  test.each(["localhost", "LOCALHOST:8080", "parley.localhost", "127.0.0.1:1", "127.1.2.3", "[::1]:8080"])(
    "answers to the host %s",
    async (host) => {
      expect(await rawRequest(app.url, { headers: { host } })).toMatchObject({ status: 200 });
    },
  );

  test.each([
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
  ])("does not answer to the host %p, where a page's name may have been made to lead", async (host) => {
    const answer = await rawRequest(app.url, { headers: { host } });
    expect(answer).toMatchObject({ status: 403 });
    expect(JSON.parse(answer.body)).toMatchObject({
      code: "permission_denied",
      msg: expect.stringContaining("set API_KEYS"),
    });
  });

  test.each([FOREIGN, "null", "http://localhost:3000", `${LISTED}.evil.example`])(
    "does not answer to pages of %s",
    async (origin) => {
      const answer = await rawRequest(app.url, { headers: { origin } });
      expect(answer).toMatchObject({ status: 403, body: expect.stringContaining("CORS_ORIGINS") });
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    },
  );

  test("answers to listed pages", async () => {
    const answer = await rawRequest(app.url, { headers: { origin: LISTED } });
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        "access-control-allow-origin": LISTED,
        "access-control-expose-headers": expect.stringContaining("retry-after"),
        vary: "Origin",
      },
    });
  });

  test("tells its health to anyone", async () => {
    const headers = { host: "evil.example", origin: FOREIGN };
    expect(await rawRequest(app.url, { method: "GET", path: "/health", headers })).toMatchObject({
      status: 200,
    });
  });
});

describe("a server with keys", () => {
  let app: App;
  beforeAll(async () => {
    app = await startTestApp({ CORS_ORIGINS: LISTED, API_KEYS: KEY });
  });
  afterAll(() => app.stop());

  test("answers a preflight of listed pages, which shows no key", async () => {
    expect(await rawRequest(app.url, PREFLIGHT)).toMatchObject({
      status: 204,
      body: "",
      headers: {
        "access-control-allow-origin": LISTED,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": expect.stringMatching(/authorization.*content-type.*x-api-key/),
        "access-control-max-age": "7200",
      },
    });
  });

  test("allows nothing to other pages", async () => {
    const answer = await rawRequest(app.url, {
      ...PREFLIGHT,
      headers: { ...PREFLIGHT.headers, origin: FOREIGN },
    });
    expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    const { status, headers } = await rawRequest(app.url, { headers: { origin: FOREIGN, "x-api-key": KEY } });
    expect([status, headers["access-control-allow-origin"]]).toEqual([200, undefined]);
  });

  test("tells listed pages of its errors", async () => {
    expect(await rawRequest(app.url, { headers: { origin: LISTED } })).toMatchObject({
      status: 401,
      headers: { "access-control-allow-origin": LISTED },
    });
  });

  test.each([
    ["an answer", { headers: { "x-api-key": KEY } }],
    ["an error", {}],
    ["its health", { method: "GET", path: "/health" }],
  ])("%s has the headers of security, and no banner", async (_, request) => {
    const { headers } = await rawRequest(app.url, request);
    expect(headers).toMatchObject({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    expect(headers).not.toHaveProperty("server");
    expect(headers).not.toHaveProperty("x-powered-by");
  });
});
