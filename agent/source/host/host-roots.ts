import { readlinkSync } from "node:fs";
import { systemCode } from "../../errors.ts";
import type { HostRoots } from "./host-files.ts";

/** The initial UTS namespace has this inode on every kernel (PROC_UTS_INIT_INO of include/linux/proc_ns.h). */
const initialUts = "uts:[4026531838]";

/**
 * Where the host's files are. An agent in a container has the host's processes in /proc, but a root and a sysfs of its
 * own: unless others were mounted for it and named, those of the host's init are taken, which needs SYS_PTRACE.
 * @param configured as --path.procfs, --path.sysfs and --path.rootfs say
 */
export function findHostRoots(configured: {
  readonly proc: string;
  readonly sys: string;
  readonly rootfs: string;
}): HostRoots {
  const { proc, sys } = configured;
  const rootfs = configured.rootfs.replace(/\/+$/, "");
  const isElsewhere = (kind: "mnt" | "net"): boolean => {
    const host = namespaceOf(proc, kind);
    return host !== undefined && host !== namespaceOf("self", kind);
  };
  const ofInit = `${proc}/1/root`;
  return {
    proc,
    sys,
    // Which interfaces a sysfs lists was settled when it was mounted; /sys is the agent's own.
    netSys: sys === "/sys" && isElsewhere("net") ? `${ofInit}/sys` : sys,
    rootfs: rootfs === "" && isElsewhere("mnt") ? ofInit : rootfs,
  };
}

/**
 * Whether the agent's host name is the host's: a container has one of its own unless it was started with --uts=host.
 * @param proc the host's procfs
 */
export function isHostUts(proc: string): boolean {
  const own = namespaceOf("self", "uts");
  return own === undefined || own === initialUts || own === namespaceOf(proc, "uts");
}

/** @param of `self`, or the procfs whose init is meant; undefined when the kernel does not let it be seen */
function namespaceOf(of: string, kind: "mnt" | "net" | "uts"): string | undefined {
  try {
    return readlinkSync(of === "self" ? `/proc/self/ns/${kind}` : `${of}/1/ns/${kind}`);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
