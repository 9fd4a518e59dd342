import { parseFlatKeyed } from "./cgroup-files.ts";
import { type CgroupLayout, cgroupFolder, readCgroupFile } from "./layout.ts";
import type { CgroupPaths } from "./resources.ts";

/**
 * How many processes the OOM killer has taken from a cgroup: `oom_kill` of memory.events (cgroup v2 documentation) or
 * of memory.oom_control (v1 memory documentation). Undefined where the kernel does not tell.
 */
export function readOomKills(layout: CgroupLayout, paths: CgroupPaths): number | undefined {
  const [controller, path, name] =
    layout.version === "v2"
      ? ([undefined, paths.unified, "memory.events"] as const)
      : (["memory", paths.byController.get("memory"), "memory.oom_control"] as const);
  if (path === undefined || layout.version === "none") return undefined;
  const text = readCgroupFile(cgroupFolder(layout, controller, path), name);
  return text === undefined ? undefined : parseFlatKeyed(text).get("oom_kill");
}
