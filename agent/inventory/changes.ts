import { type Container, kernelThreadFlag, type Snapshot } from "../model.ts";
import { haveSameLives } from "../source/columns.ts";
import { matchRows } from "./life-counters.ts";

/** What differs between two snapshots. */
export interface Changes {
  /** Rows of the later one: processes that the earlier one does not have, threads of the kernel left out. */
  readonly started: readonly number[];
  /** Rows of the earlier one that the later one does not have. */
  readonly vanished: readonly number[];
  readonly containers: readonly ContainerChange[];
}

export interface ContainerChange {
  readonly container: Container;
  /** Null: it was not there before. */
  readonly before: Container | null;
  readonly removed: boolean;
}

export function compareSnapshots(before: Snapshot, after: Snapshot): Changes {
  const isProcess = (row: number, { table }: Snapshot): boolean =>
    ((table.flags[row] ?? 0) & kernelThreadFlag) === 0;
  return {
    started: unmatched(before, after).filter((row) => isProcess(row, after)),
    vanished: unmatched(after, before).filter((row) => isProcess(row, before)),
    containers: compareContainers(before.containers, after.containers),
  };
}

/** Rows of `of` that `other` does not have. */
function unmatched(other: Snapshot, of: Snapshot): number[] {
  const found: number[] = [];
  if (haveSameLives(other.table, of.table)) return found;
  const matches = matchRows(other.table, of.table);
  for (let row = 0; row < matches.length; row++) if (matches[row] === -1) found.push(row);
  return found;
}

function compareContainers(
  before: readonly Container[],
  after: readonly Container[],
): readonly ContainerChange[] {
  if (before === after) return [];
  const earlier = new Map(before.map((container) => [container.id, container]));
  const changes: ContainerChange[] = [];
  for (const container of after) {
    const known = earlier.get(container.id);
    earlier.delete(container.id);
    const isSame =
      known !== undefined && known.state === container.state && known.startedAt === container.startedAt;
    if (!isSame) changes.push({ container, before: known ?? null, removed: false });
  }
  for (const container of earlier.values()) changes.push({ container, before: container, removed: true });
  return changes;
}
