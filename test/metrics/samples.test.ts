import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { numberText } from "../../agent/metrics/label-text.ts";
import { joinPieces } from "../../agent/metrics/pieces.ts";
import { createSampleRenderer, type FamilySamples, type Sample } from "../../agent/metrics/samples.ts";

const family = (name: string, samples: readonly Sample[]): FamilySamples => ({
  family: { name, type: "gauge", help: "Help.", labels: [] },
  samples,
});

const labels = fc.constantFrom("", 'a="1"', 'a="2"', 'a="ä"');
const samples = fc.array(
  fc.record({ labels, value: fc.oneof(fc.constantFrom(0, 1, Number.NaN), fc.double()) }),
  { maxLength: 6 },
);
const scene = fc.uniqueArray(
  fc.tuple(fc.constantFrom("x", "y", "z"), samples).map(([name, samples]) => family(name, samples)),
  { selector: ({ family }) => family.name },
);

function textOf(families: readonly FamilySamples[], most: number): string {
  let left = most;
  return families
    .map(({ family: { name }, samples }) => {
      const shown = samples.filter(({ value }) => !Number.isNaN(value)).slice(0, Math.max(0, left));
      left -= shown.length;
      const head = shown.length === 0 ? "" : `# HELP ${name} Help.\n# TYPE ${name} gauge\n`;
      const lines = shown.map(
        ({ labels, value }) => `${name}${labels === "" ? "" : `{${labels}}`} ${numberText(value)}\n`,
      );
      return head + lines.join("");
    })
    .join("");
}

test("whatever comes one after the other, the text is that of the last; what is beyond the bound is counted", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(scene, fc.nat(12)), { minLength: 1, maxLength: 8 }), (rounds) => {
      const render = createSampleRenderer("text");
      for (const [families, most] of rounds) {
        const { pieces, written, dropped } = render(families, most);
        expect(joinPieces(pieces).toString()).toBe(textOf(families, most));
        const all = families
          .flatMap(({ samples }) => samples)
          .filter(({ value }) => !Number.isNaN(value)).length;
        expect([written, dropped]).toEqual([Math.min(all, most), Math.max(0, all - most)]);
      }
    }),
    { numRuns: 500 },
  );
});

test("a family is the same piece while its series and their figures are the same", () => {
  const render = createSampleRenderer("text");
  const make = (value: number) => [
    family("x", [{ labels: 'a="1"', value: 5 }]),
    family("y", [{ labels: "", value }]),
  ];
  const [x, y] = render(make(1), 10).pieces;
  expect(render(make(1), 10).pieces).toEqual([x, y]);
  const [sameX, otherY] = render(make(2), 10).pieces;
  expect(sameX).toBe(x);
  expect(otherY).not.toBe(y);
});

test("the samples of two collectors of one family stand together", () => {
  const { pieces } = createSampleRenderer("text")(
    [
      family("x", [{ labels: 'a="1"', value: 1 }]),
      family("y", []),
      family("x", [{ labels: 'a="2"', value: 2 }]),
    ],
    10,
  );
  expect(joinPieces(pieces).toString()).toBe('# HELP x Help.\n# TYPE x gauge\nx{a="1"} 1\nx{a="2"} 2\n');
});
