import { counterColumns } from "../../model.ts";
import { groupStates, type NamedGroup } from "../../named-groups.ts";
import { greatestReadable, leastReadable, recordOf, roundCounter, sumReadable } from "../fold-sums.ts";
import { createFold, type Folded, otherLabel } from "../smallest-fold.ts";

const gauges = [
  "processes",
  "threads",
  "residentBytes",
  "virtualBytes",
  "swapBytes",
  "openFiles",
] as const satisfies readonly (keyof NamedGroup)[];

/**
 * Sums the smallest groups into `other`, so that so many are left at most. A group of that name, by a configuration's
 * template or because names were without end, is always in it.
 */
export function createGroupFold(): (groups: readonly NamedGroup[], most: number) => Folded<NamedGroup> {
  const fold = createFold<NamedGroup>({
    sizeOf: (group) => group.residentBytes,
    countersOf: (group) => counterColumns.map((name) => group[name]),
    sumUp: (folded, sums) => merge(folded, (index) => roundCounter(sums[index])),
  });
  return (groups, most) => {
    const own = groups.find(({ name }) => name === otherLabel);
    const rest = own === undefined ? groups : groups.filter((one) => one !== own);
    const { kept, other, folded } = fold(
      rest,
      () => rest.map(({ name }) => name),
      own === undefined ? most : most - 1,
    );
    if (own === undefined || other === undefined) return { kept, other: other ?? own, folded };
    const both = [own, other];
    return {
      kept,
      other: merge(both, (index) =>
        sumReadable(both.map((one) => one[counterColumns[index] ?? "userSeconds"])),
      ),
      folded,
    };
  };
}

/** @param counterOf by the index of `counterColumns` */
function merge(groups: readonly NamedGroup[], counterOf: (index: number) => number): NamedGroup {
  return {
    name: otherLabel,
    ...recordOf(gauges, (name) => sumReadable(groups.map((one) => one[name]))),
    ...recordOf(counterColumns, (_, index) => counterOf(index)),
    openFilesWorstRatio: greatestReadable([0, ...groups.map((one) => one.openFilesWorstRatio)]),
    oldestStartSeconds: leastReadable(groups.map((one) => one.oldestStartSeconds)),
    states: groupStates.map((_, index) => sumReadable(groups.map((one) => one.states[index] ?? 0))),
  };
}
