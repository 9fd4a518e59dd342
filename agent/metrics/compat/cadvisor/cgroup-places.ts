import type { Snapshot } from "../../../model.ts";
import type { CgroupTree } from "../../../source/cgroupfs/cgroup-tree.ts";

/** A cgroup of the host. */
export interface CgroupPlace {
  readonly path: string;
  /** Index into `Snapshot.containers` when it is a container's own; -1 for the others. */
  readonly index: number;
}

export interface CgroupPlaceParts {
  readonly tree: CgroupTree;
  /** The id of the container whose own cgroup the path is. */
  readonly ownContainer: (path: string) => string | undefined;
}

/** @param present indices of the containers that have processes: their cgroups are there */
export type FindCgroups = (
  snapshot: Pick<Snapshot, "containers">,
  present: Iterable<number>,
) => Promise<readonly CgroupPlace[]>;

/** The cgroups of the host, and which of them are containers' own: one for each, the nearest to the root. */
export function createCgroupPlaces({ tree, ownContainer }: CgroupPlaceParts): FindCgroups {
  const placed = new Set<string>();
  const unplaced = new Set<string>();
  let last: { readonly paths: readonly string[]; readonly ids: readonly (string | undefined)[] } | undefined;
  return async ({ containers }, present) => {
    const indexOf = new Map(containers.map(({ id }, index) => [id, index]));
    const expected = [...present].flatMap((index) => containers[index]?.id ?? []);
    // One that a walk has not found will not be found by the next either: it is out of sight.
    const paths = await tree.list(expected.some((id) => !placed.has(id) && !unplaced.has(id)));
    const isNew = paths !== last?.paths;
    const ids = last?.paths === paths ? last.ids : paths.map(ownContainer);
    last = { paths, ids };
    placed.clear();
    const places = paths.map((path, at) => {
      const id = ids[at];
      const index = id === undefined || placed.has(id) ? -1 : (indexOf.get(id) ?? -1);
      if (id !== undefined && index !== -1) placed.add(id);
      return { path, index };
    });
    if (isNew) {
      unplaced.clear();
      for (const id of expected) if (!placed.has(id)) unplaced.add(id);
    }
    return places;
  };
}
