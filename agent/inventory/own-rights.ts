import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { unlessRefused } from "../errors.ts";
import { hostCgroupNamespace, hostPidNamespace } from "../host-namespaces.ts";

/** What the kernel says of the agent itself. */
export interface OwnRights {
  readonly uid: number;
  /** Effective ones, a bit each (capabilities(7)). */
  readonly capabilities: bigint;
  /** Whether the agent is in the host's PID namespace and reads a procfs of it. */
  readonly isHostPidNamespace: boolean;
  /** Undefined when it cannot be told. */
  readonly isHostCgroupNamespace: boolean | undefined;
  /** `docker-default`; undefined where no profile holds (apparmor(7)). */
  readonly apparmorProfile: string | undefined;
  /** Text of /proc/self/cgroup (cgroups(7)). */
  readonly cgroup: string;
  /** Text of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
  readonly mounts: string;
  /** Whether there is the file that Docker or Podman leaves in a container's root. */
  readonly hasContainerMark: boolean;
}

/** @param procRoot that which processes are read from; of itself the agent reads /proc/self */
export function readOwnRights(procRoot: string, uid: number): OwnRights {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/self/status") ?? "")?.[1] ?? "0";
  const cgroupNamespace = readLink("/proc/self/ns/cgroup");
  return {
    uid,
    capabilities: BigInt(`0x${effective}`),
    // In another namespace's procfs the agent is not to be seen, and "self" points nowhere.
    isHostPidNamespace:
      readLink("/proc/self/ns/pid") === hostPidNamespace && readLink(`${procRoot}/self`) !== undefined,
    isHostCgroupNamespace:
      cgroupNamespace === undefined ? undefined : cgroupNamespace === hostCgroupNamespace,
    apparmorProfile: parseApparmorProfile(readText("/proc/self/attr/apparmor/current") ?? ""),
    cgroup: readText("/proc/self/cgroup") ?? "",
    mounts: readText("/proc/self/mountinfo") ?? "",
    hasContainerMark: existsSync("/.dockerenv") || existsSync("/run/.containerenv"),
  };
}

/** `docker-default (enforce)`; the profile only where it is enforced. */
export function parseApparmorProfile(text: string): string | undefined {
  return /^(\S.*) \(enforce\)\n?$/.exec(text)?.[1];
}

function readLink(path: string): string | undefined {
  return unlessRefused(() => readlinkSync(path));
}

function readText(path: string): string | undefined {
  return unlessRefused(() => readFileSync(path, "latin1"));
}
