import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { systemCode } from "../../errors.ts";

/** How cgroups are mounted below `<sysfs>/fs/cgroup` (cgroups(7)). */
export interface CgroupLayout {
  readonly version: "v1" | "v2" | "hybrid" | "none";
  readonly root: string;
}

/** v2 has `cgroup.controllers` in the root; a v1 host one folder for each controller, and `unified` beside if hybrid. */
export function detectCgroups(sysRoot: string): CgroupLayout {
  const root = `${sysRoot}/fs/cgroup`;
  if (existsSync(`${root}/cgroup.controllers`)) return { version: "v2", root };
  const hasControllers = existsSync(`${root}/memory`) || existsSync(`${root}/cpuacct`);
  if (!hasControllers) return { version: "none", root };
  return { version: existsSync(`${root}/unified/cgroup.controllers`) ? "hybrid" : "v1", root };
}

/**
 * The folder of a cgroup. Undefined for a path that leads above the mount, as cgroup namespaces show those outside of
 * the reader's: its figures cannot be reached from here.
 * @param controller of v1; the unified hierarchy has none
 */
export function cgroupFolder(
  layout: CgroupLayout,
  controller: string | undefined,
  cgroupPath: string,
): string | undefined {
  if (!cgroupPath.startsWith("/") || cgroupPath.split("/").includes("..")) return undefined;
  return path.posix.join(layout.root, controller ?? "", cgroupPath);
}

/** A file of a cgroup; undefined when there is none or it may not be read. */
export function readCgroupFile(folder: string | undefined, name: string): string | undefined {
  if (folder === undefined) return undefined;
  try {
    return readFileSync(`${folder}/${name}`, "utf8");
  } catch (error) {
    // ENODEV: the cgroup was removed while its file was open; EOPNOTSUPP: the controller is off.
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
