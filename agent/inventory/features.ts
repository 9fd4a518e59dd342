import type { OwnRights } from "./own-rights.ts";

/** Bits of capabilities(7). */
const capabilityBits = {
  DAC_READ_SEARCH: 2,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_ADMIN: 12,
  SYS_CHROOT: 18,
  SYS_PTRACE: 19,
  SYS_ADMIN: 21,
  PERFMON: 38,
  BPF: 39,
} as const;

/** As Docker, Kubernetes and Nomad name it: without `CAP_`. */
export type Capability = keyof typeof capabilityBits;

/** What it depends on which features there are. */
export interface FeatureFacts extends Pick<OwnRights, "capabilities" | "isHostPidNamespace"> {
  /** Whether system calls can be made that Node does not offer. */
  readonly hasSyscalls: boolean;
  readonly isEngineThere: boolean;
  readonly allowNamespaces: boolean;
  readonly source: string;
  readonly eventsSource: "bpf" | "connector" | "snapshot";
}

/** What the agent does where it may; with fewer rights it goes on without. */
export interface Feature {
  readonly name: string;
  /** What is had with it, in words. */
  readonly gives: string;
  /** All of these. */
  readonly capabilities: readonly Capability[];
  /** What else it takes, in words. */
  readonly besides: string;
  /** Whether what it takes besides is there. */
  readonly isThere: (facts: FeatureFacts) => boolean;
}

const always = (): boolean => true;

/** The one table: /metrics, `doctor` and the README are made of it. */
export const features: readonly Feature[] = [
  {
    name: "process_basics",
    gives: "processes with state, CPU, memory, threads, command line and container",
    capabilities: [],
    besides: "",
    isThere: always,
  },
  {
    name: "host_processes",
    gives: "all processes of the host by their real PIDs",
    capabilities: [],
    besides: "the host's PID namespace",
    isThere: (facts) => facts.isHostPidNamespace,
  },
  {
    name: "process_details",
    gives: "I/O figures, environments, namespaces and files of processes",
    capabilities: ["SYS_PTRACE"],
    besides: "",
    isThere: always,
  },
  {
    name: "process_details_other_users",
    gives: "the same of other users' processes",
    capabilities: ["SYS_PTRACE", "DAC_READ_SEARCH"],
    besides: "",
    isThere: always,
  },
  {
    name: "kill_other_users",
    gives: "signals to other users' processes",
    capabilities: ["KILL"],
    besides: "the host's PID namespace",
    isThere: (facts) => facts.isHostPidNamespace,
  },
  {
    name: "pidfd",
    gives: "signals that cannot hit another process",
    capabilities: [],
    besides: "koffi's library for this architecture",
    isThere: (facts) => facts.hasSyscalls,
  },
  {
    name: "engine",
    gives: "names, images and states of containers, exec, attach, restart by label, container or respawn",
    capabilities: [],
    besides: "the engine's socket",
    isThere: (facts) => facts.isEngineThere,
  },
  {
    name: "managers",
    gives: "programs of supervisord, s6, runit and systemd, restarted by them",
    capabilities: ["SYS_PTRACE"],
    besides: "koffi's library for this architecture",
    isThere: (facts) => facts.hasSyscalls,
  },
  {
    name: "namespaces_driver",
    gives: "restarts without an engine",
    capabilities: ["SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "SETUID", "SETGID", "SETPCAP"],
    besides: "--control.allow-namespaces and the host's PID namespace",
    isThere: (facts) => facts.allowNamespaces && facts.hasSyscalls && facts.isHostPidNamespace,
  },
  {
    name: "bpf",
    gives: "all processes in one pass",
    capabilities: [],
    besides: "SYS_ADMIN, or BPF with PERFMON; the host's PID namespace; Linux 5.8 with type information",
    isThere: (facts) => facts.source === "bpf",
  },
  {
    name: "exit_events",
    gives: "every end of a process, with exit code or signal",
    capabilities: [],
    besides: "what bpf needs, or NET_ADMIN in the host's network namespace",
    isThere: (facts) => facts.eventsSource !== "snapshot",
  },
];

export interface FeatureState extends Feature {
  readonly available: boolean;
  /** Those of its capabilities that the agent does not have. */
  readonly lacking: readonly Capability[];
}

/** For `pidward_feature_available` and `doctor`. */
export function listFeatures(facts: FeatureFacts): readonly FeatureState[] {
  return features.map((feature) => {
    const lacking = feature.capabilities.filter((name) => !hasCapability(facts, name));
    return { ...feature, lacking, available: lacking.length === 0 && feature.isThere(facts) };
  });
}

function hasCapability({ capabilities }: Pick<OwnRights, "capabilities">, name: Capability): boolean {
  return ((capabilities >> BigInt(capabilityBits[name])) & 1n) === 1n;
}
