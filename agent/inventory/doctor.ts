import { existsSync } from "node:fs";
import type { Finding, RuntimeRecord } from "../api.ts";
import { type Deployment, type Grants, grants } from "./deployment.ts";
import { type FeatureFacts, type FeatureState, listFeatures } from "./features.ts";
import type { OwnRights } from "./own-rights.ts";

export interface DoctorParts {
  readonly rights: OwnRights;
  readonly facts: FeatureFacts;
  readonly deployment: Deployment;
  readonly sysRoot: string;
  readonly cgroupVersion: string;
  readonly source: string;
  /** Why it is not BPF, or BPF in a slower way; null when it is neither, or procfs was asked for. */
  readonly sourceReason: string | null;
  readonly eventsSource: "bpf" | "connector" | "snapshot";
  /** Why it is not BPF; null when it is, or another was asked for. */
  readonly eventsReason: string | null;
  readonly runtimes: readonly RuntimeRecord[];
  /** Why system calls cannot be made directly; null when they can. */
  readonly syscallsReason: string | null;
  /** What is wrong with the web configuration; null when nothing is, or there is none. */
  readonly webConfigReason: string | null;
  /** What is open over TCP that should not be, in words. */
  readonly exposure: readonly string[];
}

const exposureRemedy = "give it TLS and users by --web.config.file, or listen on 127.0.0.1";

/** Says line by line what this host gives, what is missing and how to give it where the agent was started. */
export function examineHost(parts: DoctorParts): readonly Finding[] {
  const how = grants[parts.deployment];
  return [
    { subject: "deployment", level: "info", message: deployments[parts.deployment], remedy: null },
    examineUser(parts, how),
    examinePidNamespace(parts, how),
    examineCgroupNamespace(parts, how),
    examineCgroups(parts, how),
    ...examineApparmor(parts, how),
    ...listFeatures(parts.facts).flatMap((feature) => examineFeature(feature, parts, how)),
    examineTypeInformation(parts),
    ...parts.runtimes.map((runtime) => examineRuntime(runtime, how)),
    examineSyscalls(parts),
    examineSource(parts, how),
    examineEvents(parts, how),
    ...examineWebConfig(parts),
    ...parts.exposure.map(
      (message): Finding => ({ subject: "network", level: "warning", message, remedy: exposureRemedy }),
    ),
  ];
}

const deployments: Readonly<Record<Deployment, string>> = {
  host: "a process of the host",
  systemd: "a service of systemd",
  docker: "a container",
  compose: "a container of docker-compose",
  swarm: "a container started by a Swarm service",
  kubernetes: "a Kubernetes pod",
  nomad: "a Nomad task",
};

function examineUser({ rights: { uid } }: DoctorParts, how: Grants): Finding {
  return uid === 0
    ? { subject: "user", level: "ok", message: "root", remedy: null }
    : {
        subject: "user",
        level: "warning",
        message: `uid ${uid}: only this user's processes can be read in full and signalled`,
        remedy: how.root,
      };
}

function examinePidNamespace({ rights }: DoctorParts, how: Grants): Finding {
  const subject = "PID namespace";
  if (rights.isHostPidNamespace) return { subject, level: "ok", message: "the host's", remedy: null };
  return {
    subject,
    level: "missing",
    message: "not the host's: only a part of the processes can be seen",
    remedy: how.hostPids,
  };
}

function examineCgroupNamespace({ rights }: DoctorParts, how: Grants): Finding {
  const subject = "cgroup namespace";
  switch (rights.isHostCgroupNamespace) {
    case undefined:
      return { subject, level: "warning", message: "cannot be told", remedy: null };
    case true:
      return { subject, level: "ok", message: "the host's", remedy: null };
    case false:
      return {
        subject,
        level: "warning",
        message: "private: containers are mapped, but their cgroup figures cannot be read",
        remedy: how.hostCgroups,
      };
  }
}

function examineCgroups({ cgroupVersion, sysRoot }: DoctorParts, how: Grants): Finding {
  const subject = "cgroups";
  if (cgroupVersion !== "none") return { subject, level: "ok", message: cgroupVersion, remedy: null };
  return {
    subject,
    level: "missing",
    message: `none are mounted below ${sysRoot}/fs/cgroup: containers have no figures of their own`,
    remedy: how.hostSys,
  };
}

function examineApparmor({ rights: { apparmorProfile } }: DoctorParts, how: Grants): readonly Finding[] {
  if (apparmorProfile === undefined) return [];
  return [
    {
      subject: "AppArmor",
      level: "warning",
      message: `${apparmorProfile} holds the agent: the host's own processes may refuse signals and looks (EACCES)`,
      remedy: how.unconfined,
    },
  ];
}

/** Those that depend on capabilities; the others have lines of their own. */
function examineFeature(feature: FeatureState, { facts }: DoctorParts, how: Grants): readonly Finding[] {
  const { name: subject, gives, lacking, capabilities, available } = feature;
  if (capabilities.length === 0) return [];
  if (available) return [{ subject, level: "ok", message: gives, remedy: null }];
  // It is off unless it is wanted.
  if (subject === "namespaces_driver" && !facts.allowNamespaces) {
    return [{ subject, level: "info", message: `${gives}: not allowed`, remedy: how.namespaces }];
  }
  if (lacking.length === 0)
    return [{ subject, level: "missing", message: `${gives}: it needs ${feature.besides}`, remedy: null }];
  const names = lacking.map((name) => `CAP_${name}`).join(", ");
  return [
    {
      subject,
      level: "missing",
      message: `${gives}: it needs ${names}`,
      remedy: how.capabilities(lacking),
    },
  ];
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

function examineRuntime(runtime: RuntimeRecord, how: Grants): Finding {
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
    remedy: how.engineSocket,
  };
}

function examineSource({ source, sourceReason }: DoctorParts, how: Grants): Finding {
  const message = `processes are read by ${source}`;
  if (sourceReason === null) return { subject: "source", level: "ok", message, remedy: null };
  if (source === "bpf") {
    return {
      subject: "source",
      level: "info",
      message: `${message}, one by one from the kernel's iterator, since it refuses the faster program: ${sourceReason}`,
      remedy: "nothing is missing, a scan only costs more; report it with the kernel's release",
    };
  }
  return {
    subject: "source",
    level: "info",
    message: `${message}, since BPF cannot be used: ${sourceReason}`,
    remedy: bpfRemedy(how),
  };
}

function bpfRemedy(how: Grants): string {
  return `BPF needs Linux 5.8 with type information, the host's PID namespace, and rights: ${how.capabilities(["BPF", "PERFMON"])}, or SYS_ADMIN where the engine does not know these (Docker before 23)`;
}

function examineEvents({ eventsSource, eventsReason }: DoctorParts, how: Grants): Finding {
  const told = {
    bpf: "every one is told by the kernel, with exit code, signal and CPU time",
    connector: "every one is told by the kernel, with exit code and signal",
    snapshot: "those that a scan has seen are missed by the next one, without exit code or signal",
  }[eventsSource];
  const message = `ends of processes by ${eventsSource}: ${told}`;
  if (eventsReason === null) return { subject: "events", level: "ok", message, remedy: null };
  return {
    subject: "events",
    level: eventsSource === "snapshot" ? "warning" : "info",
    message: `${message}; BPF cannot be used: ${eventsReason}`,
    remedy: bpfRemedy(how),
  };
}

function examineWebConfig({ webConfigReason }: DoctorParts): readonly Finding[] {
  if (webConfigReason === null) return [];
  const remedy = "mend the file: the agent does not start with it, and a running one keeps the one before";
  return [{ subject: "network", level: "missing", message: webConfigReason, remedy }];
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
