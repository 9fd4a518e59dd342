import { existsSync, readFileSync, readlinkSync } from "node:fs";
import type { Finding, RuntimeRecord } from "../api.ts";
import { reasonOf, systemCode } from "../errors.ts";

/** Inode numbers of the first namespaces (PROC_PID_INIT_INO, PROC_CGROUP_INIT_INO in include/linux/proc_ns.h). */
const hostPidNamespace = "pid:[4026531836]";
const hostCgroupNamespace = "cgroup:[4026531835]";

/** What the agent makes use of (capabilities(7)): bit, and what is missing without it. */
const capabilities = [
  { bit: 5, name: "CAP_KILL", use: "signals to other users' processes" },
  { bit: 19, name: "CAP_SYS_PTRACE", use: "I/O figures, environments and namespaces of other processes" },
  { bit: 2, name: "CAP_DAC_READ_SEARCH", use: "open files of other users' processes" },
] as const;

export interface DoctorParts {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly uid: number;
  readonly cgroupVersion: string;
  readonly source: string;
  /** Why it is not BPF; null when it is, or procfs was asked for. */
  readonly sourceReason: string | null;
  readonly eventsSource: "bpf" | "connector" | "snapshot";
  /** Why it is not BPF; null when it is, or another was asked for. */
  readonly eventsReason: string | null;
  readonly runtimes: readonly RuntimeRecord[];
  /** Why system calls cannot be made directly; null when they can. */
  readonly syscallsReason: string | null;
  /** What is open over TCP that should not be, in words. */
  readonly exposure: readonly string[];
}

export const exposureRemedy = "give it TLS and users by --web.config.file, or listen on 127.0.0.1";

/** Says line by line what this host gives, what is missing and how to give it. */
export function examineHost(parts: DoctorParts): readonly Finding[] {
  return [
    examineUser(parts),
    examinePidNamespace(parts),
    examineCgroupNamespace(parts),
    examineCgroups(parts),
    ...examineCapabilities(parts),
    examineTypeInformation(parts),
    ...parts.runtimes.map(examineRuntime),
    examineSyscalls(parts),
    examineSource(parts),
    examineEvents(parts),
    ...parts.exposure.map(
      (message): Finding => ({ subject: "network", level: "warning", message, remedy: exposureRemedy }),
    ),
  ];
}

function examineUser({ uid }: DoctorParts): Finding {
  return uid === 0
    ? { subject: "user", level: "ok", message: "root", remedy: null }
    : {
        subject: "user",
        level: "warning",
        message: `uid ${uid}: only this user's processes can be read in full and signalled`,
        remedy: "run the agent as root, or with the capabilities below",
      };
}

function examinePidNamespace({ procRoot }: DoctorParts): Finding {
  const subject = "PID namespace";
  const own = readLink("/proc/self/ns/pid");
  const first = readLink(`${procRoot}/1/ns/pid`);
  const seen = "text" in first ? first.text : "text" in own ? own.text : undefined;
  if (seen === hostPidNamespace) {
    const same = "text" in own && own.text === seen;
    if (same) return { subject, level: "ok", message: "the host's", remedy: null };
  }
  if (seen === undefined) {
    return { subject, level: "warning", message: "cannot be told", remedy: "give CAP_SYS_PTRACE" };
  }
  return {
    subject,
    level: "missing",
    message: `${"text" in own ? own.text : seen} is not the host's: only a part of the processes can be seen`,
    remedy: "start the agent's container with --pid=host",
  };
}

function examineCgroupNamespace(_: DoctorParts): Finding {
  const subject = "cgroup namespace";
  const own = readLink("/proc/self/ns/cgroup");
  if (!("text" in own))
    return { subject, level: "warning", message: `cannot be read: ${own.reason}`, remedy: null };
  if (own.text === hostCgroupNamespace) return { subject, level: "ok", message: "the host's", remedy: null };
  return {
    subject,
    level: "warning",
    message: "private: containers are mapped, but their cgroup figures cannot be read",
    remedy: "start the agent's container with --cgroupns=host",
  };
}

function examineCgroups({ cgroupVersion, sysRoot }: DoctorParts): Finding {
  const subject = "cgroups";
  if (cgroupVersion !== "none") return { subject, level: "ok", message: cgroupVersion, remedy: null };
  return {
    subject,
    level: "missing",
    message: `none are mounted below ${sysRoot}/fs/cgroup: containers have no figures of their own`,
    remedy: "mount the host's /sys into the agent's container and point --path.sysfs at it",
  };
}

function examineCapabilities({ uid }: DoctorParts): readonly Finding[] {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/self/status"))?.[1];
  if (effective === undefined) {
    return [{ subject: "capabilities", level: "warning", message: "cannot be read", remedy: null }];
  }
  const mask = BigInt(`0x${effective}`);
  return capabilities.map(({ bit, name, use }): Finding => {
    const has = (mask >> BigInt(bit)) & 1n;
    if (has === 1n) return { subject: name, level: "ok", message: use, remedy: null };
    const remedy =
      uid === 0 ? `start the agent's container with --cap-add=${name.slice(4)}` : "run the agent as root";
    return { subject: name, level: "missing", message: `without it: no ${use}`, remedy };
  });
}

function examineTypeInformation({ sysRoot }: DoctorParts): Finding {
  const file = `${sysRoot}/kernel/btf/vmlinux`;
  const there = existsSync(file);
  return {
    subject: "BTF",
    level: "info",
    message: there ? `${file} is there` : `${file} is not there`,
    remedy: null,
  };
}

function examineRuntime(runtime: RuntimeRecord): Finding {
  if (runtime.available) {
    const version = runtime.version === null ? "" : ` ${runtime.version}`;
    return {
      subject: runtime.name,
      level: "ok",
      message: `answers at ${runtime.endpoint}${version}`,
      remedy: null,
    };
  }
  return {
    subject: runtime.name,
    level: "missing",
    message: `${runtime.reason ?? `no answer at ${runtime.endpoint}`}: containers have no names, nothing can be restarted`,
    remedy: "start the engine, or say where it is with --docker.socket or DOCKER_HOST",
  };
}

function examineSource({ source, sourceReason }: DoctorParts): Finding {
  const message = `processes are read by ${source}`;
  if (sourceReason === null) return { subject: "source", level: "ok", message, remedy: null };
  return {
    subject: "source",
    level: "info",
    message: `${message}, since BPF cannot be used: ${sourceReason}`,
    remedy: bpfNeeds,
  };
}

const bpfNeeds =
  "BPF needs a kernel from 5.8 on with type information, the host's PID namespace, and root or CAP_BPF with CAP_PERFMON (or CAP_SYS_ADMIN)";

function examineEvents({ eventsSource, eventsReason }: DoctorParts): Finding {
  const how = {
    bpf: "every one is told by the kernel, with exit code, signal and CPU time",
    connector: "every one is told by the kernel, with exit code and signal",
    snapshot: "those that a scan has seen are missed by the next one, without exit code or signal",
  }[eventsSource];
  const message = `ends of processes by ${eventsSource}: ${how}`;
  if (eventsReason === null) return { subject: "events", level: "ok", message, remedy: null };
  return {
    subject: "events",
    level: eventsSource === "snapshot" ? "warning" : "info",
    message: `${message}; BPF cannot be used: ${eventsReason}`,
    remedy: bpfNeeds,
  };
}

function examineSyscalls({ syscallsReason }: DoctorParts): Finding {
  const subject = "pidfd";
  if (syscallsReason === null)
    return { subject, level: "ok", message: "signals go through pidfds", remedy: null };
  return {
    subject,
    level: "warning",
    message: `${syscallsReason}: signals are guarded by a re-check of the start time alone, respawn has no plan`,
    remedy: "reinstall the dependencies on this architecture (npm ci)",
  };
}

function readLink(path: string): { readonly text: string } | { readonly reason: string } {
  try {
    return { text: readlinkSync(path) };
  } catch (error) {
    return { reason: systemCode(error) ?? reasonOf(error) };
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return "";
  }
}
