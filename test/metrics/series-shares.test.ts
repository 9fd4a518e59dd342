import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { metricGroups } from "../../agent/metric-choice.ts";
import { createSeriesShares } from "../../agent/metrics/series-shares.ts";

const compatible = ["node", "namedprocess", "container"] as const;

test("a group has what the other compatible ones do not use, and its parts for certain", () => {
  const shares = createSeriesShares(1000, metricGroups);
  expect(compatible.map((group) => shares.of(group))).toEqual([600, 600, 600]);
  shares.used("node", 50);
  shares.used("namedprocess", 100);
  expect(shares.of("container")).toBe(450);
  shares.used("container", 450);
  expect(compatible.map((group) => shares.of(group))).toEqual([100, 200, 450]);
  expect(shares.ofOwn()).toBe(400);
});

test("a group that is off leaves its parts to the others", () => {
  const shares = createSeriesShares(1000, ["pidward", "node"]);
  expect([shares.of("node"), shares.ofOwn()]).toEqual([200, 1000]);
});

test("all together have no more than the bound once their wants stay, and each its parts at once", () => {
  const wants = fc.array(fc.tuple(fc.nat(2000), fc.nat(2000), fc.nat(2000)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(wants, (scrapes) => {
      const shares = createSeriesShares(1000, metricGroups);
      const scrape = (wanted: readonly number[]): number => {
        const written = compatible.map((group, index) => {
          const series = Math.min(wanted[index] ?? 0, shares.of(group));
          expect(series).toBeGreaterThanOrEqual(Math.min(wanted[index] ?? 0, (index + 1) * 100));
          shares.used(group, series);
          return series;
        });
        return written.reduce((sum, series) => sum + series, shares.ofOwn());
      };
      for (const wanted of scrapes) {
        scrape(wanted);
        expect(scrape(wanted)).toBeLessThanOrEqual(1000);
      }
    }),
  );
});
