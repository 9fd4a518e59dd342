import { counterColumns } from "../../model.ts";
import { groupStates, type NamedGroup } from "../../named-groups.ts";
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
    sumUp: (folded, sums) => merge(folded, (index) => Math.round((sums[index] ?? 0) * 1e6) / 1e6),
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
      other: merge(both, (index) => sum(both.map((one) => one[counterColumns[index] ?? "userSeconds"]))),
      folded,
    };
  };
}

/** @param counterOf by the index of `counterColumns` */
function merge(groups: readonly NamedGroup[], counterOf: (index: number) => number): NamedGroup {
  const named = <K extends string>(names: readonly K[], figure: (name: K, index: number) => number) =>
    Object.fromEntries(names.map((name, index) => [name, figure(name, index)])) as Record<K, number>;
  const readable = (name: "openFilesWorstRatio" | "oldestStartSeconds"): readonly number[] =>
    groups.map((one) => one[name]).filter((one) => !Number.isNaN(one));
  const starts = readable("oldestStartSeconds");
  return {
    name: otherLabel,
    ...named(gauges, (name) => sum(groups.map((one) => one[name]))),
    ...named(counterColumns, (_, index) => counterOf(index)),
    openFilesWorstRatio: Math.max(0, ...readable("openFilesWorstRatio")),
    oldestStartSeconds: starts.length === 0 ? Number.NaN : Math.min(...starts),
    states: groupStates.map((_, index) => sum(groups.map((one) => one.states[index] ?? 0))),
  };
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => (Number.isNaN(figure) ? total : total + figure), 0);
}
