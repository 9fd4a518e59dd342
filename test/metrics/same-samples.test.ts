import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { joinPieces } from "../../agent/metrics/pieces.ts";
import { createSameSamples } from "../../agent/metrics/same-samples.ts";
import { createSampleRenderer, type FamilySamples } from "../../agent/metrics/samples.ts";

const [first, second] = ["a", "b"].map(
  (name) => ({ name, type: "gauge", help: name, labels: ["x"] }) as const,
);
const sample = fc.record({
  labels: fc.constantFrom("", 'x="1"', 'x="2"', 'x="3"'),
  value: fc.constantFrom(0, -0, 1, 2.5, Number.NaN, Number.POSITIVE_INFINITY),
});
const familySamples: fc.Arbitrary<FamilySamples> = fc.record({
  family: fc.constantFrom(first, second).map((family) => family ?? fail()),
  samples: fc.array(sample, { maxLength: 6 }),
});

function fail(): never {
  throw new Error("not there");
}

function textOf(families: readonly FamilySamples[], render = createSampleRenderer("text")): string {
  return joinPieces(render(families, 8).pieces).toString();
}

test("the samples are those that were collected, and what comes of them is the same text", () => {
  fc.assert(
    fc.property(fc.array(fc.array(familySamples, { maxLength: 4 }), { maxLength: 8 }), (rounds) => {
      const same = createSameSamples();
      const render = createSampleRenderer("text");
      for (const families of rounds) {
        const given = same(families);
        expect(given).toEqual(families);
        expect(textOf(given, render)).toBe(textOf(families));
      }
    }),
    { numRuns: 500 },
  );
});

test("what is as it was is the same object: a sample, and a family of which nothing has changed", () => {
  const same = createSameSamples();
  const collect = (value: number): readonly FamilySamples[] => [
    { family: first ?? fail(), samples: [{ labels: "", value: Number.NaN }] },
    {
      family: second ?? fail(),
      samples: [
        { labels: 'x="1"', value: 1 },
        { labels: 'x="2"', value },
      ],
    },
  ];
  const before = same(collect(1));
  const after = same(collect(2));
  expect(after[0]).toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
  expect(after[1]?.samples[0]).toBe(before[1]?.samples[0]);
  expect(after[1]?.samples[1]).toEqual({ labels: 'x="2"', value: 2 });
  // One that has no samples now stands nowhere, and the others are still known.
  expect(same(collect(2).slice(1))[0]).toBe(after[1]);
});
