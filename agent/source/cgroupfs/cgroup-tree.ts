import { readdirSync, statSync } from "node:fs";
import { systemCode } from "../../errors.ts";
import { createPauses } from "../pauses.ts";
import type { CgroupLayout } from "./layout.ts";

/** Time between two walks when nothing is missed, and when something is. */
const walkEveryMs = 10_000;
const walkAgainMs = 1_000;
/** What is beyond is left out, the deepest first. A container that has a cgroup mount of its own can make any number. */
const mostOthers = 2_000;
const mostContainers = 10_000;
const mostLevels = 16;

export interface CgroupTreeParts {
  readonly layout: CgroupLayout;
  /** Whether the path is that of a container's own cgroup. */
  readonly isContainer: (path: string) => boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** The paths of all cgroups, `/` first, those nearer to the root before those below them. */
export interface CgroupTree {
  /**
   * As found some seconds ago.
   * @param isMissing one that should be there was not among the last ones
   */
  list(isMissing: boolean): Promise<readonly string[]>;
}

export function createCgroupTree(parts: CgroupTreeParts): CgroupTree {
  let paths: readonly string[] = [];
  let walkedAt = Number.NEGATIVE_INFINITY;
  return {
    list: async (isMissing) => {
      const age = parts.monotonicMs() - walkedAt;
      if (age < (isMissing ? walkAgainMs : walkEveryMs)) return paths;
      walkedAt = parts.monotonicMs();
      paths = await walk(parts);
      return paths;
    },
  };
}

/** v1: the two hierarchies that hold most of what is counted; a cgroup can be in one of them only. */
function mountsOf({ version, root }: CgroupLayout): readonly string[] {
  if (version === "none") return [];
  return version === "v2" ? [root] : [`${root}/memory`, `${root}/cpuacct`];
}

async function walk({ layout, isContainer, monotonicMs }: CgroupTreeParts): Promise<readonly string[]> {
  const mounts = mountsOf(layout);
  const pause = createPauses(monotonicMs);
  const found: string[] = [];
  let others = 0;
  let level: ReadonlySet<string> = new Set(mounts.length === 0 ? [] : ["/"]);
  for (let depth = 0; depth < mostLevels && level.size > 0; depth++) {
    const next = new Set<string>();
    for (const path of level) {
      if (isContainer(path) ? found.length - others >= mostContainers : others >= mostOthers) continue;
      if (!isContainer(path)) others++;
      found.push(path);
      for (const mount of mounts) {
        for (const name of childrenOf(`${mount}${path}`)) next.add(`${path === "/" ? "" : path}/${name}`);
      }
      const wait = pause();
      if (wait !== undefined) await wait;
    }
    level = next;
  }
  return found;
}

function childrenOf(folder: string): readonly string[] {
  try {
    // Two links: itself and its name above. So no listing, which costs ten times as much, for those that are leaves.
    if (statSync(folder).nlink === 2) return [];
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch (error) {
    // Removed in the meantime, or in the other hierarchy only.
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}
