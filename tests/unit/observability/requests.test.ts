import { expect, test } from "@jest/globals";
import { Registry } from "prom-client";
import { invalidArgument, storeUnavailable, toAppError } from "../../../src/core/errors.ts";
import { createMeters } from "../../../src/observability/metrics/meters.ts";
import { watchRequests } from "../../../src/observability/requests.ts";
import { HTTP_STATUS } from "../../../src/transport/error-map.ts";
import { TestLog } from "../../support/test-log.ts";

const cause = new Error("database is locked");

test.each([
  ["error", toAppError(cause)],
  ["warn", storeUnavailable(cause)],
])("where a client is told that the log says why, it does: %s", (level, error) => {
  const log = new TestLog();
  const observer = watchRequests({ meters: createMeters(new Registry()) });
  observer.begin({ method: "POST", path: "other" }, log).end({ status: HTTP_STATUS[error.code], error });
  const told = log.lines.filter((line) => line.level === level).map(({ fields }) => fields.err as Error);
  expect(told.map((err) => (err === cause ? cause : err.cause))).toEqual([cause]);
});

test("what a client does wrong is one line alone", () => {
  const log = new TestLog();
  const observer = watchRequests({ meters: createMeters(new Registry()) });
  const error = invalidArgument("message", "must not be blank");
  observer.begin({ method: "POST", path: "other" }, log).end({ status: 400, error });
  expect(log.lines.map(({ message }) => message)).toEqual(["Request"]);
});
