import { type Container, containerLabel } from "../model.ts";
import { haveSameElements } from "../source/same-elements.ts";
import { otherLabel } from "./smallest-fold.ts";

/** `distinctLabels`, made anew when the containers are others. */
export function createContainerNames(): (
  containers: readonly Container[],
  hasOther: boolean,
) => readonly string[] {
  let last: { containers: readonly Container[]; hasOther: boolean; names: readonly string[] } | undefined;
  return (containers, hasOther) => {
    if (last?.hasOther !== hasOther || !haveSameElements(last.containers, containers))
      last = { containers, hasOther, names: distinctLabels(containers, hasOther ? [otherLabel] : []) };
    return last.names;
  };
}

/** The label of each container. Two of one name, as different runtimes can have, are told apart by the short id. */
export function distinctLabels(
  containers: readonly Container[],
  taken: readonly string[] = [],
): readonly string[] {
  const times = new Map<string, number>();
  for (const container of containers) {
    const label = containerLabel(container);
    times.set(label, (times.get(label) ?? 0) + 1);
  }
  const given = new Set(taken);
  return containers.map((container) => {
    const label = containerLabel(container);
    const short = (times.get(label) ?? 0) > 1 ? `${label}-${container.id.slice(0, 12)}` : label;
    const distinct = given.has(short) ? `${label}-${container.id}` : short;
    given.add(distinct);
    return distinct;
  });
}
