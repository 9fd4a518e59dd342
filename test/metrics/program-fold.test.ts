import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createProgramFold } from "../../agent/metrics/program-fold.ts";
import type { ProgramTotals, Snapshot } from "../../agent/model.ts";
import { makeSnapshot } from "../inventory/table.ts";

/** Programs of the host: name → CPU seconds so far, and memory. */
function scene(programs: Readonly<Record<string, readonly [cpu: number, memory: number]>>): Snapshot {
  const snapshot = makeSnapshot(
    Object.keys(programs).map((name, index) => ({ pid: 100 + index, name, parentPid: 1 })),
  );
  const totals = snapshot.programs.flatMap((program): ProgramTotals[] => {
    const [userSeconds, residentBytes] = programs[program.name] ?? [0, 0];
    return [{ ...program, userSeconds, residentBytes }];
  });
  return { ...snapshot, programs: totals };
}

test("with room for all nothing is folded", () => {
  const fold = createProgramFold();
  expect(fold(scene({ a: [1, 1], b: [2, 2] }), 2)).toMatchObject({ other: undefined, folded: [] });
});

test("the sum has what its members used since they were folded, and new ones from their start", () => {
  const fold = createProgramFold();
  const first = fold(scene({ a: [10, 9], b: [20, 8], c: [30, 1] }), 3);
  expect(first.kept).toHaveLength(3);
  const second = fold(scene({ a: [11, 9], b: [21, 8], c: [31, 1], d: [5, 2] }), 3);
  expect(second.kept.map((one) => one.name)).toEqual(["a", "b"]);
  // Of c nothing yet: its own series has had it.
  expect(second.other).toMatchObject({ userSeconds: 5, processes: 2, residentBytes: 3, name: "other" });
  const third = fold(scene({ a: [11, 9], b: [21, 8], c: [33, 1], d: [5.5, 2] }), 3);
  expect(third.other?.userSeconds).toBe(7.5);
});

test("one that is a little larger than another that is kept does not take its place", () => {
  const fold = createProgramFold();
  fold(scene({ a: [0, 10], b: [0, 9], c: [0, 8] }), 2);
  expect(fold(scene({ a: [0, 10], b: [0, 12], c: [0, 8] }), 2).kept.map((one) => one.name)).toEqual(["a"]);
  expect(fold(scene({ a: [0, 10], b: [0, 21], c: [0, 8] }), 2).kept.map((one) => one.name)).toEqual(["b"]);
});

test("the sum never falls, whichever programs come, grow and go", () => {
  const programs = fc.dictionary(
    fc.constantFrom("a", "b", "c", "d", "e", "f"),
    fc.tuple(fc.nat(100), fc.nat(100)),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(programs, fc.integer({ min: 1, max: 5 })), { maxLength: 8 }), (steps) => {
      const fold = createProgramFold();
      let before = 0;
      for (const [one, most] of steps) {
        const { kept, other, folded } = fold(scene(one), most);
        expect(kept.length + (folded.length > 0 ? 1 : 0)).toBeLessThanOrEqual(most);
        expect(other?.userSeconds ?? 0).toBeGreaterThanOrEqual(before);
        before = other?.userSeconds ?? before;
      }
    }),
  );
});
