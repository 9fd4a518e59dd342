import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createPiece, type Piece } from "../../agent/metrics/pieces.ts";
import { createDivision } from "../../agent/metrics/run-division.ts";

const piece = (bytes: number): Piece => createPiece("x".repeat(bytes));
const sizes = (runs: readonly (readonly Piece[])[]) =>
  runs.map((run) => run.map(({ bytes }) => bytes.length));

test("runs are all the pieces in their order, however often they change", () => {
  const size = fc.constantFrom(1, 100, 3_000, 40_000, 120_000);
  const changes = fc.array(fc.array(fc.nat(11), { maxLength: 6 }), {
    minLength: 1,
    maxLength: 40,
    size: "max",
  });
  fc.assert(
    fc.property(fc.array(size, { minLength: 1, maxLength: 12 }), changes, (wanted, changes) => {
      const divide = createDivision();
      let pieces = wanted.map(piece);
      for (const changed of changes) {
        pieces = pieces.map((one, index) => (changed.includes(index) ? piece(one.bytes.length) : one));
        const flat = divide(pieces).flat();
        expect(flat.length).toBe(pieces.length);
        expect(flat.every((one, index) => one === pieces[index])).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

test("at first runs are of about 32 KiB", () => {
  const runs = createDivision()(Array.from({ length: 20 }, () => piece(10_000)));
  expect(runs.map((run) => run.length)).toEqual([4, 4, 4, 4, 4]);
});

test("what changes each time comes apart from what stays, and into longer runs", () => {
  const divide = createDivision();
  const stays = Array.from({ length: 4 }, () => piece(10_001));
  const often = Array.from({ length: 2 }, () => piece(10_005));
  let runs: readonly (readonly Piece[])[] = [];
  for (let times = 0; times < 20; times++) {
    const changes = Array.from({ length: 12 }, () => piece(10_009));
    if (times % 5 === 0) often.splice(0, 2, piece(10_005), piece(10_005));
    runs = divide([...stays.slice(0, 2), piece(100), ...changes, ...often, ...stays.slice(2)]);
  }
  expect(sizes(runs)).toEqual([
    [10_001, 10_001],
    [100, ...new Array(10).fill(10_009)],
    [10_009, 10_009],
    [10_005, 10_005],
    [10_001, 10_001],
  ]);
});

test("what is small is not cut off by itself", () => {
  const divide = createDivision();
  const stays = Array.from({ length: 8 }, () => piece(1_200));
  let runs: readonly (readonly Piece[])[] = [];
  for (let times = 0; times < 20; times++) runs = divide(stays.flatMap((one) => [one, piece(800)]));
  expect(runs.map((run) => run.length)).toEqual([10, 6]);
});

test("division stays while a body grows a little, and is made anew when it has become twice as long", () => {
  const divide = createDivision();
  const make = (bytes: number) => Array.from({ length: 10 }, () => piece(bytes));
  expect(divide(make(10_000))).toHaveLength(3);
  expect(divide(make(19_000))).toHaveLength(3);
  expect(divide(make(21_000))).toHaveLength(5);
  expect(divide([])).toEqual([]);
});
