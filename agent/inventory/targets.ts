import {
  type Container,
  kernelThreadFlag,
  processState,
  type Snapshot,
  type TargetProcess,
  type Targets,
} from "../model.ts";
import { isInit } from "./programs.ts";
import { findContainer, parseSelector, refOf, rowsOfContainer, select } from "./selector.ts";

/** Gives the container that a runtime answers for; see containers/resolver.ts. */
export type FindAuthority = (cgroupText: string) => Container | null;

/**
 * Turns a selector into what is to be acted upon.
 * @throws AgentError as `parseSelector` and `select` do
 */
export function findTargets(selector: string, snapshot: Snapshot, authorityOf: FindAuthority): Targets {
  const selection = select(parseSelector(selector), snapshot);
  const target = (row: number): TargetProcess => toTarget(row, snapshot, authorityOf);
  const tops = topRows(selection.rows, selection.kind, snapshot);
  const inside = new Set(tops);
  const below = descendantRows(tops, snapshot).filter((row) => !inside.has(row));
  const [first] = selection.rows;
  const programOfFirst =
    first === undefined ? undefined : snapshot.programs[snapshot.programOf[first] ?? -1]?.name;
  return {
    selector,
    kind: selection.kind,
    container: snapshot.containers[selection.container] ?? null,
    program: selection.kind === "container" ? null : (selection.program ?? programOfFirst ?? null),
    processes: tops.map(target),
    descendants: below.map(target),
  };
}

/** Without the zombies of a program; a process that was named is left as it is. */
export function livingTargets(targets: Targets, snapshot: Snapshot): Targets {
  if (targets.kind !== "program") return targets;
  const isLiving = ({ ref }: TargetProcess): boolean => !isZombie(snapshot.rowByPid.get(ref.pid), snapshot);
  return {
    ...targets,
    processes: targets.processes.filter(isLiving),
    descendants: targets.descendants.filter(isLiving),
  };
}

/**
 * The programs of a container that can be restarted one by one: those that its process managers mean to run, else all
 * but its init's and what was run in it from outside, by name.
 * @throws AgentError as `findContainer` does
 */
export function programsOf(name: string, snapshot: Snapshot): readonly string[] {
  const index = findContainer(name, snapshot);
  const managed = snapshot.managed.filter((one) => one.container === index);
  if (managed.length > 0)
    return managed.filter(({ condition }) => condition !== "stopped").map((one) => one.name);
  const own = rowsOfContainer(index, snapshot).filter((row) => {
    const parent = snapshot.rowByPid.get(snapshot.table.parentPid[row] ?? 0);
    const isInside = parent !== undefined && snapshot.containerOf[parent] === index;
    return isInside && !isZombie(row, snapshot);
  });
  const init = rowsOfContainer(index, snapshot).find((row) => isInit(row, snapshot));
  const initProgram = init === undefined ? -1 : (snapshot.programOf[init] ?? -1);
  const programs = new Set(
    own.map((row) => snapshot.programOf[row] ?? -1).filter((one) => one !== initProgram),
  );
  return [...programs].map((program) => snapshot.programs[program]?.name ?? "").sort();
}

/** All processes of a container that have not ended; zombies have. */
export function livingProcesses(
  containerId: string,
  snapshot: Snapshot,
  authorityOf: FindAuthority,
): readonly TargetProcess[] {
  const index = snapshot.containers.findIndex((container) => container.id === containerId);
  if (index === -1) return [];
  return rowsOfContainer(index, snapshot)
    .filter((row) => !isZombie(row, snapshot))
    .map((row) => toTarget(row, snapshot, authorityOf));
}

/** A container is acted upon through its init; a program through its members whose parent is no member. */
function topRows(rows: readonly number[], kind: Targets["kind"], snapshot: Snapshot): readonly number[] {
  if (kind === "container") return rows.filter((row) => isInit(row, snapshot));
  if (kind === "process") return rows;
  const members = new Set(rows);
  return rows.filter((row) => {
    const parent = snapshot.rowByPid.get(snapshot.table.parentPid[row] ?? 0);
    // The init and its children can bear one name: the children are tops of their own.
    return parent === undefined || !members.has(parent) || isInit(parent, snapshot);
  });
}

/** Rows below the given ones in the same container, parents first. */
function descendantRows(tops: readonly number[], snapshot: Snapshot): readonly number[] {
  const children = new Map<number, number[]>();
  for (let row = 0; row < snapshot.table.length; row++) {
    const parent = snapshot.rowByPid.get(snapshot.table.parentPid[row] ?? 0);
    if (parent === undefined || snapshot.containerOf[parent] !== snapshot.containerOf[row]) continue;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [row]);
    else siblings.push(row);
  }
  const found = new Set<number>();
  const queue = [...tops];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const child of children.get(next) ?? []) {
      if (found.has(child)) continue;
      found.add(child);
      queue.push(child);
    }
  }
  return [...found];
}

function isZombie(row: number | undefined, { table }: Snapshot): boolean {
  return processState(table.state[row ?? -1] ?? 0) === "zombie";
}

function toTarget(row: number, snapshot: Snapshot, authorityOf: FindAuthority): TargetProcess {
  const { table } = snapshot;
  return {
    ref: refOf(row, snapshot),
    name: table.name[row] ?? "",
    parentPid: table.parentPid[row] ?? 0,
    kernelThread: ((table.flags[row] ?? 0) & kernelThreadFlag) !== 0,
    container: snapshot.containers[snapshot.containerOf[row] ?? -1] ?? null,
    authority: authorityOf(table.cgroup[row] ?? ""),
    program: snapshot.programs[snapshot.programOf[row] ?? -1]?.name ?? "",
    init: isInit(row, snapshot),
  };
}
