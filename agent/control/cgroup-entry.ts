import { parseCgroupLines } from "../containers/cgroup-path.ts";
import { type CgroupLayout, cgroupFolder } from "../source/cgroupfs/layout.ts";

/** A hierarchy in which a new process has to be moved. */
export interface CgroupEntry {
  /** As /proc/PID/cgroup names it: `cpu,cpuacct`, `name=systemd`, empty for the unified one. */
  readonly hierarchy: string;
  /** Folders of cgroups, the best first: that of the old process may be gone with it, that of the container's init is not. */
  readonly folders: readonly string[];
}

/** Texts of /proc/PID/cgroup. */
export interface CgroupTexts {
  readonly old: string;
  /** Of the container's init. */
  readonly init: string;
  /** Of the agent itself. */
  readonly own: string;
}

/**
 * Where the like of an old process belongs, in every hierarchy: else it would stay in the agent's own cgroup, be counted
 * there, and end with the agent.
 * @param isThere whether a folder exists
 * @returns none for a hierarchy in which the agent is there already; or the reason in words why one cannot be entered
 */
export function findCgroupEntries(
  texts: CgroupTexts,
  layout: CgroupLayout,
  isThere: (folder: string) => boolean,
): readonly CgroupEntry[] | { readonly reason: string } {
  const [old, init, own] = [pathsOf(texts.old), pathsOf(texts.init), pathsOf(texts.own)];
  const entries: CgroupEntry[] = [];
  for (const [hierarchy, path] of old) {
    const ofInit = init.get(hierarchy);
    const named = hierarchy === "" ? "the unified cgroup hierarchy" : `the cgroup hierarchy ${hierarchy}`;
    if (ofInit === undefined) return { reason: `the container's init is not in ${named}` };
    if (path !== ofInit && (ofInit === "/" || !path.startsWith(`${ofInit}/`)))
      return { reason: `it is in ${path} of ${named}, which is not below ${ofInit} of the container's init` };
    if (own.get(hierarchy) === path) continue;
    const mount = mountNames(hierarchy, layout).find((name) => isThere(`${layout.root}/${name}`));
    const folders = [path, ofInit].flatMap((one) =>
      mount === undefined ? [] : (cgroupFolder(layout, mount, one) ?? []),
    );
    const found = [...new Set(folders)].filter(isThere);
    if (found.length === 0) return { reason: `${path} of ${named} cannot be reached below ${layout.root}` };
    entries.push({ hierarchy, folders: found });
  }
  return entries;
}

function pathsOf(text: string): ReadonlyMap<string, string> {
  return new Map(parseCgroupLines(text).map(({ controllers, path }) => [controllers.join(","), path]));
}

/** Folders below the root in which a hierarchy may be mounted. */
function mountNames(hierarchy: string, { version }: CgroupLayout): readonly string[] {
  if (hierarchy === "") return [version === "v2" ? "." : "unified"];
  const controllers = hierarchy.split(",");
  return [hierarchy, ...controllers.map((controller) => controller.replace(/^name=/, ""))];
}
