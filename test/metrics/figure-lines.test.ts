import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createFigureLines } from "../../agent/metrics/figure-lines.ts";
import { numberText } from "../../agent/metrics/label-text.ts";

const prefixes = fc.array(fc.string({ unit: "grapheme", maxLength: 20 }), { maxLength: 12 });
/** Few different ones, so that many stay; and texts of any length. */
const figure = fc.oneof(
  fc.constantFrom(0, -0, 1, 12, Number.NaN, Number.POSITIVE_INFINITY),
  fc.double({ noDefaultInfinity: false }),
);

function textOf(prefixes: readonly string[], figures: readonly number[]): string {
  return prefixes
    .map((prefix, line) => ({ prefix, figure: figures[line] ?? Number.NaN }))
    .filter(({ figure }) => !Number.isNaN(figure))
    .map(({ prefix, figure }) => `${prefix}${numberText(figure)}\n`)
    .join("");
}

test("whatever figures come one after the other, the lines are those of the last", () => {
  const rounds = prefixes.chain((prefixes) =>
    fc.tuple(
      fc.constant(prefixes),
      fc.array(fc.array(figure, { minLength: prefixes.length, maxLength: prefixes.length }), {
        minLength: 1,
        maxLength: 8,
      }),
    ),
  );
  fc.assert(
    fc.property(rounds, ([prefixes, rounds]) => {
      const lines = createFigureLines(prefixes.length, (line) => prefixes[line] ?? "");
      for (const figures of rounds) {
        const piece = lines.render(Float64Array.from(figures));
        expect(piece?.bytes.toString() ?? "").toBe(textOf(prefixes, figures));
      }
    }),
    { numRuns: 1000 },
  );
});

test("the piece stays while the figures do, and one that was given out is not changed later", () => {
  const lines = createFigureLines(3, (line) => `line${line} `);
  const first = lines.render(Float64Array.from([1, Number.NaN, 3]));
  expect(lines.render(Float64Array.from([1, Number.NaN, 3]))).toBe(first);
  const second = lines.render(Float64Array.from([1, Number.NaN, 4_000]));
  expect(second).not.toBe(first);
  expect(first?.bytes.toString()).toBe("line0 1\nline2 3\n");
  expect(second?.bytes.toString()).toBe("line0 1\nline2 4000\n");
  expect(lines.render(Float64Array.from([Number.NaN, Number.NaN, Number.NaN]))).toBeUndefined();
});

test("no figure is no line, from the beginning", () => {
  expect(createFigureLines(0, () => "").render(new Float64Array(0))).toBeUndefined();
  expect(createFigureLines(1, () => "a ").render(Float64Array.from([Number.NaN]))).toBeUndefined();
});
