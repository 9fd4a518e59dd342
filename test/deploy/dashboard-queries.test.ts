import { expect, test } from "@jest/globals";
import { metricNames, withoutThresholds } from "../support/dashboard-queries.ts";

test.each([
  [
    'sum by (name) (rate(a_total{x="b_total"}[5m])) / ignoring(cpu) group_left count(c:d)',
    ["a_total", "c:d"],
  ],
  ["clamp_min(a - (a offset 5s or a * 0), 0) and on (instance) up == bool 1", ["a", "up"]],
  ['max({__name__=~"a|b"}) > 1.5e3', ["a", "b"]],
])("the metrics of %s", (expr, names) => expect(metricNames(expr)).toEqual(names));

test("thresholds are taken off a comparison, not off a matcher", () => {
  expect(withoutThresholds('a{b=~"c"} > 0 and d == bool 1')).toBe('a{b=~"c"} > bool 0 and d == bool 1');
});
