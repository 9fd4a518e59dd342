import { readdirSync, readlinkSync } from "node:fs";

/** Open files of a process, but for those of cgroups: the agent keeps them, as many as there are cgroups. */
export function countDescriptors(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return !readlinkSync(`${folder}/${fd}`).startsWith("/sys/fs/cgroup/");
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}
