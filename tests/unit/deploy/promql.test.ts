import { describe, expect, test } from "@jest/globals";
import { problemsOf, readExposition, selectorsOf } from "../../support/promql.ts";

const exposed = readExposition(`
# HELP calls_total Calls
# TYPE calls_total counter
calls_total{path="/a",status="200"} 3
calls_total{path="/b,\\"c\\"",status="503"} 1e-7
# TYPE seconds histogram
seconds_bucket{le="0.5",store="one"} 1
seconds_bucket{le="+Inf",store="one"} 2
seconds_sum{store="one"} 1.25
seconds_count{store="one"} 2
# TYPE starts_total counter
starts_total 0
# TYPE errors_total counter
`);

test("an exposition tells metrics, labels and values", () => {
  expect([...exposed.keys()]).toEqual([
    ...["calls_total", "seconds_bucket", "seconds_sum", "seconds_count", "starts_total", "errors_total"],
  ]);
  expect(exposed.get("calls_total")?.get("path")).toEqual(new Set(["/a", '/b,\\"c\\"']));
  expect(exposed.get("starts_total")).toEqual(new Map());
  expect(exposed.get("errors_total")).toBeUndefined();
});

test("a query tells its metrics, with the labels of matchers and of groupings around them", () => {
  const query =
    'histogram_quantile(0.5, sum by (le, store) (rate(seconds_bucket{kind!="x"}[5m]))) > on (store) up or a:b';
  expect(selectorsOf(query)).toEqual([
    {
      name: "seconds_bucket",
      labels: new Set(["le", "store", "kind"]),
      values: [{ label: "kind", operator: "!=", value: "x" }],
    },
    { name: "up", labels: new Set(["store"]), values: [] },
    { name: "a:b", labels: new Set(), values: [] },
  ]);
});

test.each(["sum(", "rate(a[5m]) by", "a{b=c}", ""])("%j is no query", (query) => {
  expect(() => selectorsOf(query)).toThrow("No PromQL");
});

describe("a query of what is exposed", () => {
  test.each([
    'sum by (path) (rate(calls_total{status=~"5..", job="x"}[5m]))',
    'seconds_bucket{le="0.5"} / on () starts_total',
    'up{instance="a"}',
    'calls_total{status="$status"}',
  ])("%s is right", (query) => {
    expect(problemsOf(query, exposed)).toEqual([]);
  });

  test.each([
    ["call_total", ["there is no metric call_total"]],
    ["seconds", ["there is no metric seconds"]],
    ["sum by (method) (calls_total)", ["calls_total has no label method"]],
    ['sum(starts_total{path="/a"})', ["starts_total has no label path"]],
    ['seconds_bucket{le="0.3"}', ["le of seconds_bucket is never 0.3"]],
    ['calls_total{status!="400"}', ["status of calls_total is never 400"]],
    ["errors_total", ["errors_total has no sample to compare with"]],
  ])("%s is wrong", (query, problems) => {
    expect(problemsOf(query, exposed)).toEqual(problems);
  });
});
