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

function textOf(prefixes: readonly string[], figures: readonly number[], most: number): string {
  return prefixes
    .map((prefix, line) => ({ prefix, figure: figures[line] ?? Number.NaN }))
    .filter(({ figure }) => !Number.isNaN(figure))
    .slice(0, most)
    .map(({ prefix, figure }) => `${prefix}${numberText(figure)}\n`)
    .join("");
}

test("whatever figures come one after the other, the lines are those of the last", () => {
  const rounds = prefixes.chain((prefixes) => {
    const sets = fc.array(fc.tuple(fc.nat(Math.max(0, prefixes.length - 1)), figure), { maxLength: 15 });
    return fc.tuple(fc.constant(prefixes), fc.array(fc.tuple(sets, fc.nat(15)), { maxLength: 8 }));
  });
  fc.assert(
    fc.property(rounds, ([prefixes, rounds]) => {
      const figures = prefixes.map(() => Number.NaN);
      const lines = createFigureLines(prefixes.length, (line) => prefixes[line] ?? "");
      for (const [sets, most] of rounds) {
        for (const [line, figure] of sets) {
          if (line >= prefixes.length) continue;
          figures[line] = figure;
          lines.set(line, figure);
        }
        expect(lines.render(most)?.bytes.toString() ?? "").toBe(textOf(prefixes, figures, most));
        expect(lines.count()).toBe(figures.filter((figure) => !Number.isNaN(figure)).length);
      }
    }),
    { numRuns: 1000 },
  );
});

test("the piece stays while the figures do, and one that was given out is not changed later", () => {
  const lines = createFigureLines(3, (line) => `line${line} `);
  lines.set(0, 1);
  lines.set(2, 3);
  const first = lines.render(9);
  lines.set(0, 1);
  expect(lines.render(9)).toBe(first);
  lines.set(2, 4_000);
  const second = lines.render(9);
  expect(second).not.toBe(first);
  expect(first?.bytes.toString()).toBe("line0 1\nline2 3\n");
  expect(second?.bytes.toString()).toBe("line0 1\nline2 4000\n");
  for (const line of [0, 2]) lines.set(line, Number.NaN);
  expect(lines.render(9)).toBeUndefined();
});

test("no figure is no line, from the beginning", () => {
  expect(createFigureLines(0, () => "").render(9)).toBeUndefined();
  const lines = createFigureLines(1, () => "a ");
  lines.set(0, Number.NaN);
  expect(lines.render(9)).toBeUndefined();
});
