import { readdirSync, readlinkSync } from "node:fs";

/** What the descriptors of a process lead to. */
export function listOpen(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(`${folder}/${fd}`)];
    } catch {
      // Closed meanwhile, as that of the listing itself.
      return [];
    }
  });
}

/** Open files of a process, but for those of cgroups: the agent keeps them, as many as there are cgroups. */
export function countDescriptors(pid: number): number {
  return listOpen(pid).filter((target) => !target.startsWith("/sys/fs/cgroup/")).length;
}
