import { readFileSync, readlinkSync } from "node:fs";

/** What it depends on which features there are. */
export interface FeatureFacts {
  /** Effective capabilities of the agent, a bit each (capabilities(7)). */
  readonly capabilities: bigint;
  readonly isHostPidNamespace: boolean;
  /** Whether system calls can be made that Node does not offer. */
  readonly hasSyscalls: boolean;
  readonly isEngineThere: boolean;
  readonly source: string;
  readonly eventsSource: "bpf" | "connector" | "snapshot";
}

interface Feature {
  readonly name: string;
  readonly isThere: (facts: FeatureFacts) => boolean;
}

const CAP_DAC_READ_SEARCH = 2n;
const CAP_KILL = 5n;
const CAP_SYS_PTRACE = 19n;

const has = ({ capabilities }: FeatureFacts, bit: bigint): boolean => ((capabilities >> bit) & 1n) === 1n;

/** What the agent can do where it may; with fewer rights it goes on without. */
const features: readonly Feature[] = [
  { name: "host_processes", isThere: (facts) => facts.isHostPidNamespace },
  { name: "process_details", isThere: (facts) => has(facts, CAP_SYS_PTRACE) },
  {
    name: "process_details_other_users",
    isThere: (facts) => has(facts, CAP_SYS_PTRACE) && has(facts, CAP_DAC_READ_SEARCH),
  },
  { name: "kill_other_users", isThere: (facts) => facts.isHostPidNamespace && has(facts, CAP_KILL) },
  { name: "pidfd", isThere: (facts) => facts.hasSyscalls },
  { name: "engine", isThere: (facts) => facts.isEngineThere },
  // Their sockets and pipes are reached through /proc/PID/root.
  { name: "managers", isThere: (facts) => facts.hasSyscalls && has(facts, CAP_SYS_PTRACE) },
  { name: "bpf", isThere: (facts) => facts.source === "bpf" },
  { name: "exit_events", isThere: (facts) => facts.eventsSource !== "snapshot" },
];

/** For `pidward_feature_available`. */
export function listFeatures(
  facts: FeatureFacts,
): readonly { readonly name: string; readonly available: boolean }[] {
  return features.map(({ name, isThere }) => ({ name, available: isThere(facts) }));
}

/** What the kernel says of the agent itself. */
export function readOwnRights(procRoot: string): Pick<FeatureFacts, "capabilities" | "isHostPidNamespace"> {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  return { capabilities: BigInt(`0x${effective}`), isHostPidNamespace: isHostPids(procRoot) };
}

/** PROC_PID_INIT_INO of include/linux/proc_ns.h. The agent's own link may always be read. */
function isHostPids(procRoot: string): boolean {
  try {
    return (
      readlinkSync("/proc/self/ns/pid") === "pid:[4026531836]" && readlinkSync(`${procRoot}/self`) !== ""
    );
  } catch {
    // Another procfs, in which the agent is not to be seen.
    return false;
  }
}
