import type { ContainerFiles } from "../managers/inside.ts";
import type { InsideIds } from "../source/procfs/process-files.ts";

/** How an engine's exec is told whose process to start. */
export interface ExecUser {
  readonly user: string;
  readonly warnings: readonly string[];
}

/** passwd(5) and group(5) files beyond this size are cut: a container could plant an endless one. */
const maxFileBytes = 1 << 20;

/**
 * An exec's user as `uid:gid` gets no supplementary groups, as `uid` those that the container's /etc/group lists for
 * it. The form that gives the process's own is taken; what neither gives is a warning.
 */
export function execUserFor(ids: InsideIds, files: ContainerFiles): ExecUser {
  const exact = `${ids.uid}:${ids.gid}`;
  const wanted = new Set(ids.groups.filter((gid) => gid !== ids.gid));
  if (wanted.size === 0) return { user: exact, warnings: [] };
  const listed = groupsListedFor(ids.uid, files);
  if (listed !== undefined && listed.gid === ids.gid && sameMembers(listed.groups, wanted)) {
    return { user: String(ids.uid), warnings: [] };
  }
  return {
    user: exact,
    warnings: [
      `supplementary groups ${[...wanted].sort((a, b) => a - b).join(", ")} may not be carried over`,
    ],
  };
}

function groupsListedFor(
  uid: number,
  files: ContainerFiles,
): { gid: number; groups: Set<number> } | undefined {
  const entry = readColumns("/etc/passwd", files).find(([, , id]) => Number(id) === uid && id !== "");
  const [name, , , primary] = entry ?? [];
  if (name === undefined || primary === undefined || primary === "") return undefined;
  const gid = Number(primary);
  const groups = readColumns("/etc/group", files)
    .filter(([, , , members]) => members?.split(",").includes(name) ?? false)
    .map(([, , id]) => Number(id))
    .filter((id) => Number.isInteger(id) && id !== gid);
  return { gid, groups: new Set(groups) };
}

function readColumns(file: string, files: ContainerFiles): readonly (readonly string[])[] {
  const text = files.read(file, maxFileBytes)?.toString("utf8") ?? "";
  return text.split("\n").map((line) => line.split(":"));
}

function sameMembers(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}
