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
