import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { SubjectFamily } from "../../agent/metrics/families.ts";
import { joinPieces } from "../../agent/metrics/pieces.ts";
import { createSeriesBlocks } from "../../agent/metrics/series-blocks.ts";
import { createSubjectComparison, type Labelled } from "../../agent/metrics/subject-changes.ts";

type Figures = readonly [user: number, system: number];

const family: SubjectFamily<Figures> = {
  name: "cpu",
  type: "counter",
  help: "",
  labels: ["mode"],
  readings: [
    { values: ["user"], read: ([user]) => user },
    { values: ["system"], read: ([, system]) => system },
  ],
};
/** Subjects of a block. */
const width = 64;

/** The lines one by one, of all that have a figure the first ones. */
function linesOf(subjects: readonly Labelled<Figures>[]): readonly string[] {
  return subjects.flatMap(({ subject, text }) =>
    subject.flatMap((figure, index) =>
      Number.isNaN(figure) ? [] : [`cpu{${text},mode="${["user", "system"][index]}"} ${figure}\n`],
    ),
  );
}

const textOf = (pieces: readonly { readonly bytes: Buffer }[]): string => joinPieces(pieces).toString();

function subjectsOf(count: number): Labelled<Figures>[] {
  return Array.from({ length: count }, (_, index) => ({ subject: [index, 1], text: `program="${index}"` }));
}

/** What a round does to the subjects: another figure, another label, one more or less at the end, or nothing. */
const change = fc.record({
  kind: fc.constantFrom("figure", "figure", "figure", "label", "more", "fewer", "nothing"),
  at: fc.nat(200),
  figure: fc.constantFrom(0, 7, Number.NaN),
});

test("whatever changes, the series are those of the subjects as they are, and each dropped one is counted", () => {
  fc.assert(
    fc.property(
      fc.nat(150),
      fc.array(
        fc.tuple(fc.array(change, { maxLength: 4 }), fc.constantFrom(0, 5, 150, 10_000), fc.boolean()),
        {
          maxLength: 10,
        },
      ),
      (count, rounds) => {
        const compare = createSubjectComparison<Figures>();
        const blocks = createSeriesBlocks(family);
        let subjects = subjectsOf(count);
        for (const [changes, most, isPassedOver] of rounds) {
          subjects = [...subjects];
          for (const { kind, at, figure } of changes) {
            const one = subjects[at % Math.max(1, subjects.length)];
            const place = at % Math.max(1, subjects.length);
            if (kind === "more") subjects.push({ subject: [at, figure], text: `program="more ${at}"` });
            else if (kind === "fewer") subjects.pop();
            else if (one === undefined || kind === "nothing") continue;
            else if (kind === "label") subjects[place] = { ...one, text: `program="other ${at}"` };
            else subjects[place] = { ...one, subject: [figure, at] };
          }
          const compared = compare(subjects);
          // As when another family could not be rendered: these blocks have not seen that list.
          if (isPassedOver) continue;
          const lines = linesOf(subjects);
          const rendered = blocks.render(compared, most);
          expect(textOf(rendered.pieces)).toBe(lines.slice(0, most).join(""));
          expect([rendered.written, rendered.dropped]).toEqual([
            Math.min(most, lines.length),
            Math.max(0, lines.length - most),
          ]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("only the block of a subject that is another one has another piece", () => {
  const compare = createSubjectComparison<Figures>();
  const blocks = createSeriesBlocks(family);
  const subjects = subjectsOf(3 * width);
  const first = blocks.render(compare(subjects), 10_000).pieces;
  expect(first).toHaveLength(3);
  const next = subjects.map((one, index) =>
    index === width + 1 ? { ...one, subject: [9, 9] as const } : one,
  );
  const second = blocks.render(compare(next), 10_000).pieces;
  expect(second.map((piece, index) => piece === first[index])).toEqual([true, false, true]);
  // Another object with the same figures.
  const third = blocks.render(compare(next.map((one) => ({ ...one }))), 10_000).pieces;
  expect(third.map((piece, index) => piece === second[index])).toEqual([true, true, true]);
});

test("a subject is not read while what its family is read from is the same", () => {
  const reads: number[] = [];
  const compare = createSubjectComparison<{ readonly basis: object; readonly figure: number }>();
  const blocks = createSeriesBlocks<{ readonly basis: object; readonly figure: number }>({
    ...family,
    readings: [{ values: ["user"], read: ({ figure }) => reads.push(figure) }],
    basis: ({ basis }) => basis,
  });
  const basis = {};
  const render = (figure: number, from: object) =>
    blocks.render(compare([{ subject: { basis: from, figure }, text: "" }]), 9);
  const first = render(1, basis);
  expect(render(2, basis)).toEqual(first);
  render(3, {});
  expect(reads).toEqual([1, 3]);
});
