import { existsSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { unlessRefused } from "./errors.ts";
import { hostPidNamespace } from "./host-namespaces.ts";

/** Where the host's root is mounted into containers that look at the host, as node_exporter's and cAdvisor's are run. */
const mountPoints = ["/host", "/rootfs"];

/** What is asked of the system. Each gives undefined when the file is not there or may not be looked at. */
export interface RootFiles {
  readonly readLink: (path: string) => string | undefined;
  /** Device and inode. */
  readonly identify: (path: string) => string | undefined;
  /** Whether something is mounted there, with an own procfs below it. */
  readonly isHostMount: (path: string) => boolean;
}

/**
 * Where the host's root is seen from here: `/` on the host itself; from a container the mount of it that is there, else
 * what PID 1 has as its root. What decides is the kernel's word on the namespaces and mounts of the agent and of the host's
 * PID 1, on which no other container has an influence.
 */
export function findHostRoot(files: RootFiles = kernelFiles): string {
  const { readLink, identify } = files;
  const own = readLink("/proc/self/ns/mnt");
  const init = readLink("/proc/1/ns/mnt");
  const pids = readLink("/proc/1/ns/pid");
  const isHostInit = pids === hostPidNamespace;
  if (isHostInit && own === init) return "/";
  const hostRoot = isHostInit ? identify("/proc/1/root/") : undefined;
  const mounted = mountPoints.find((path) =>
    hostRoot === undefined ? files.isHostMount(path) : identify(path) === hostRoot,
  );
  return mounted ?? (hostRoot === undefined ? "/" : "/proc/1/root");
}

const kernelFiles: RootFiles = {
  readLink: (path) => unlessRefused(() => readlinkSync(path)),
  identify: (path) =>
    unlessRefused(() => {
      const { dev, ino } = statSync(path, { bigint: true });
      return `${dev} ${ino}`;
    }),
  isHostMount: (path) => {
    // proc_pid_mountinfo(5): the mount point is the fifth field.
    const mounts = unlessRefused(() => readFileSync("/proc/self/mountinfo", "utf8")) ?? "";
    const isMount = mounts.split("\n").some((line) => line.split(" ")[4] === path);
    return isMount && existsSync(`${path}/proc/1`);
  },
};
