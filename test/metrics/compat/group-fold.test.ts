import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createGroupFold } from "../../../agent/metrics/compat/group-fold.ts";
import type { NamedGroup } from "../../../agent/named-groups.ts";

const group = (name: string, userSeconds: number, residentBytes: number): NamedGroup => ({
  name,
  userSeconds,
  systemSeconds: 0,
  readBytes: Number.NaN,
  writtenBytes: 0,
  voluntarySwitches: 0,
  involuntarySwitches: 0,
  minorFaults: 0,
  majorFaults: 0,
  processes: 1,
  threads: 2,
  residentBytes,
  virtualBytes: 0,
  swapBytes: 0,
  openFiles: 1,
  openFilesWorstRatio: residentBytes / 100,
  oldestStartSeconds: userSeconds,
  states: [0, 1, 0, 0, 0],
});
const names = (groups: readonly NamedGroup[]) => groups.map(({ name }) => name);

test("the smallest groups are one, which has their gauges and what they used since", () => {
  const fold = createGroupFold();
  expect(fold([group("a", 5, 9), group("b", 6, 8), group("c", 7, 1)], 3)).toMatchObject({ other: undefined });
  const { kept, other, folded } = fold(
    [group("a", 5, 9), group("b", 6, 8), group("c", 8, 1), group("d", 2, 3)],
    3,
  );
  expect([names(kept), names(folded)]).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
  expect(other).toMatchObject({
    name: "other",
    userSeconds: 2,
    readBytes: 0,
    processes: 2,
    threads: 4,
    residentBytes: 4,
    openFilesWorstRatio: 0.03,
    oldestStartSeconds: 2,
    states: [0, 2, 0, 0, 0],
  });
});

test("a group that is called other itself stands with the sum, whose counters do not fall by that", () => {
  const fold = createGroupFold();
  const first = fold([group("other", 100, 1), group("a", 5, 9)], 2);
  expect([names(first.kept), first.other?.userSeconds]).toEqual([["a"], 100]);
  const second = fold([group("other", 101, 1), group("a", 5, 9), group("b", 1, 3), group("c", 1, 2)], 3);
  expect(names(second.kept)).toEqual(["a"]);
  expect(second.other).toMatchObject({ userSeconds: 103, processes: 3 });
});

test("no name is there twice, and the sum never falls", () => {
  const sizes = fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e"), fc.nat(100));
  fc.assert(
    fc.property(fc.array(fc.tuple(sizes, fc.integer({ min: 1, max: 5 })), { maxLength: 8 }), (steps) => {
      const fold = createGroupFold();
      let before = 0;
      for (const [at, [scene, most]] of steps.entries()) {
        const groups = Object.entries(scene).map(([name, size]) => group(name, at * size, size));
        const { kept, other } = fold([...groups, group("other", at, 0)], most);
        expect(names(kept)).not.toContain("other");
        expect(kept.length + 1).toBeLessThanOrEqual(Math.max(1, most));
        expect(other?.userSeconds).toBeGreaterThanOrEqual(before);
        before = other?.userSeconds ?? before;
      }
    }),
  );
});
