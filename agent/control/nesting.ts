import { type Container, containerLabel, type Snapshot, type TargetProcess } from "../model.ts";

/** The ids of the containers that a cgroup's text names, the outermost first; see containers/resolver.ts. */
export type NestingOf = (cgroupText: string) => readonly string[];

/** One container in another is how an engine in a container looks; beyond that nobody can tell who answers for what. */
const mostNested = 2;

/**
 * Containers can be nested, and what a container may do to its own cgroups includes naming one after another
 * container's id. An inner container that no runtime here knows belongs to the outer one. An inner one that is known
 * must be where its own init is.
 * @returns the reason in words why the owner is unclear; undefined: it is clear
 */
export function refuseUnclearOwner(
  target: TargetProcess,
  snapshot: Snapshot,
  nestingOf: NestingOf,
): string | undefined {
  const nesting = nestingOfPid(target.ref.pid, snapshot, nestingOf);
  const { container } = target;
  if (nesting.length < 2 || container === null) return undefined;
  const path = nesting.map((id) => labelOf(id, snapshot)).join(" > ");
  if (nesting.length > mostNested)
    return `sits in nested containers (${path}), and it is unclear which of them answers for it`;
  if (!container.known) return undefined;
  const own = container.initPid === null ? [] : nestingOfPid(container.initPid, snapshot, nestingOf);
  if (own.join(" ") === nesting.join(" ")) return undefined;
  const where =
    own.length === 0
      ? `${containerLabel(container)} has no init that is seen`
      : `the init of ${containerLabel(container)} is in ${own.map((id) => labelOf(id, snapshot)).join(" > ")}`;
  return `sits in nested containers (${path}), but ${where}: it is unclear whose it is`;
}

/** The containers around a process that a runtime knows, the outermost first. */
export function containersAround(
  target: TargetProcess,
  snapshot: Snapshot,
  nestingOf: NestingOf,
): readonly Container[] {
  const found = nestingOfPid(target.ref.pid, snapshot, nestingOf).flatMap(
    (id) => snapshot.containers.find((container) => container.id === id && container.known) ?? [],
  );
  const own = [target.authority, target.container].filter((one): one is Container => one !== null);
  return [...new Set([...found, ...own])];
}

function nestingOfPid(pid: number, { table, rowByPid }: Snapshot, nestingOf: NestingOf): readonly string[] {
  return nestingOf(table.cgroup[rowByPid.get(pid) ?? -1] ?? "");
}

function labelOf(id: string, { containers }: Snapshot): string {
  return containerLabel(containers.find((container) => container.id === id) ?? { id, name: null });
}
