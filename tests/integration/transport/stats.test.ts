import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { GetUsageRequest } from "../../../src/gen/acai/stats/stats";
import { startTestApp } from "../../support/app.ts";
import { callJson, type ErrorBody, post } from "../../support/twirp.ts";

const GET_USAGE = "acai.stats.StatsService/GetUsage";

let app: Awaited<ReturnType<typeof startTestApp>>;

beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

const refused = {
  code: "invalid_argument",
  msg: "group_by must be DAY, HOUR, MODEL, USER, PLATFORM or OPERATION",
  meta: { argument: "group_by" },
};

test.each(["WEEK", "day", "DIMENSION_UNSPECIFIED", 0, 7, -1])(
  "grouping by %j is refused",
  async (unknown) => {
    const { status, body } = await callJson(app.url, GET_USAGE, { group_by: ["DAY", unknown] });
    expect(status).toBe(400);
    expect(body).toMatchObject(refused);
  },
);

test.each([0, 7, -1])("grouping by %d in protobuf is refused", async (unknown) => {
  const request = new Uint8Array(GetUsageRequest.toBinary(GetUsageRequest.create({ groupBy: [unknown] })));
  const response = await post(app.url, GET_USAGE, request, { "content-type": "application/protobuf" });
  expect(response.status).toBe(400);
  expect((await response.json()) as ErrorBody).toMatchObject(refused);
});

test.each(["DAY", 2, "OPERATION"])("grouping by %j is taken", async (known) => {
  const { status } = await callJson(app.url, GET_USAGE, { group_by: [known] });
  expect(status).toBe(200);
});

test.each(["1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])("the time %s is out of reach", async (time) => {
  for (const argument of ["from", "to"]) {
    const { status, body } = await callJson(app.url, GET_USAGE, { [argument]: time });
    expect(status).toBe(400);
    expect(body).toMatchObject({
      code: "invalid_argument",
      msg: `${argument} must be a time from 1970 to 9999`,
      meta: { argument },
    });
  }
});

test("the last hour of all can be asked for", async () => {
  const { status, body } = await callJson(app.url, GET_USAGE, { to: "9999-12-31T23:00:00Z" });
  expect([status, body.to]).toEqual([200, "9999-12-31T23:00:00Z"]);
});

test.each(["2026-01-31", "", 5, { seconds: 5 }])("the time %j is told how to be written", async (time) => {
  const { status, body } = await callJson(app.url, GET_USAGE, { from: time });
  expect([status, body.code]).toEqual([400, "malformed"]);
  expect(body.msg).toMatch(/a time does not fit, write it as 2026-01-31T12:00:00Z\.$/);
});
