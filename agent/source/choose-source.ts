import { readFileSync, readlinkSync } from "node:fs";
import { AgentError, reasonOf } from "../errors.ts";
import { hostPidNamespace } from "../host-namespaces.ts";
import type { KernelUnits } from "../model.ts";
import type { Syscalls } from "../syscalls.ts";
import { createBpfSource } from "./bpf/bpf-source.ts";
import { type Btf, parseBtf } from "./bpf/btf.ts";
import type { CgroupTexts } from "./cgroupfs/cgroup-texts.ts";
import { createBpfExits } from "./exits/bpf-exits.ts";
import { createConnectorExits } from "./exits/connector-exits.ts";
import type { ExitSource } from "./exits/exit-source.ts";
import type { ProcessSource } from "./process-source.ts";
import type { GuardedReader } from "./procfs/guarded-reader.ts";
import { createProcfsSource } from "./procfs/procfs-source.ts";

export const sourceNames = ["auto", "bpf", "procfs"] as const;
export const exitSourceNames = ["auto", "bpf", "connector", "snapshot"] as const;

export interface SourceParts {
  readonly source: (typeof sourceNames)[number];
  readonly eventsSource: (typeof exitSourceNames)[number];
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly units: KernelUnits;
  readonly cgroups: CgroupTexts;
  readonly commands: GuardedReader;
  /** Undefined where koffi cannot load. */
  readonly syscalls: Syscalls | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Nanoseconds of CLOCK_MONOTONIC. */
  readonly monotonicNs: () => number;
}

/** What is in use, and why it is not the better one; null when it is, or was asked for. */
export interface ChosenSources {
  readonly source: ProcessSource;
  readonly sourceReason: string | null;
  /** Undefined: ends are found by comparing snapshots. */
  readonly exits: ExitSource | undefined;
  readonly exitsReason: string | null;
}

/**
 * How processes are read and how their ends are learned: by BPF where the kernel and the rights allow it.
 * @throws AgentError `unavailable` when what was asked for cannot be had
 */
export function chooseSources(parts: SourceParts): ChosenSources {
  // Megabytes, read once for both and let go of.
  let btf: Btf | undefined;
  const bpf = (): BpfAccess => {
    const syscalls = requireBpf(parts);
    btf ??= readBtf(parts.sysRoot);
    return { btf, syscalls };
  };
  const { procRoot: root, units, cgroups, commands, syscalls, now, monotonicNs } = parts;
  const [source, sourceReason] = firstOf<ProcessSource>(`--source=${parts.source}`, parts.source, {
    bpf: () => createBpfSource({ root, units, cgroups, commands, ...bpf() }),
    procfs: () => createProcfsSource({ root, units, commands, ...(syscalls && { calls: syscalls.files }) }),
  });
  try {
    const [exits, exitsReason] = firstOf<ExitSource | undefined>(
      `--events.source=${parts.eventsSource}`,
      parts.eventsSource,
      {
        bpf: () => createBpfExits({ units, cgroups, now, monotonicNs, ...bpf() }),
        connector: () =>
          createConnectorExits({ root, units, now, monotonicNs, syscalls: requireHost(parts) }),
        snapshot: () => undefined,
      },
    );
    return { source, sourceReason: sourceReason ?? source.slowerBecause ?? null, exits, exitsReason };
  } catch (error) {
    source.close();
    throw error;
  }
}

interface BpfAccess {
  readonly btf: Btf;
  readonly syscalls: Syscalls;
}

/** The one that was asked for; with `auto` the first that can be had, and why those before it could not. */
function firstOf<T>(
  setting: string,
  wanted: string,
  makers: Readonly<Record<string, () => T>>,
): readonly [T, string | null] {
  const reasons: string[] = [];
  for (const [name, make] of Object.entries(makers)) {
    if (wanted !== "auto" && wanted !== name) continue;
    try {
      return [make(), reasons.length === 0 ? null : reasons.join("; ")];
    } catch (error) {
      // Broken type information leads reads or jumps out of their range.
      if (!(error instanceof AgentError) && !(error instanceof RangeError)) throw error;
      const reason =
        error instanceof AgentError ? error.message : `the kernel's types make no sense: ${error.message}`;
      if (wanted !== "auto") throw new AgentError("unavailable", `${setting}: ${reason}`, { cause: error });
      reasons.push(reason);
    }
  }
  throw new AgentError("unavailable", `${setting}: ${reasons.join("; ")}`);
}

/** What comes from the kernel by number must mean the same processes as the procfs. */
function requireHost({ procRoot, syscalls }: SourceParts): Syscalls {
  if (syscalls === undefined)
    throw new AgentError("unavailable", "the kernel cannot be asked for it without koffi");
  const own = ownPidNamespace();
  if (own !== hostPidNamespace) {
    throw new AgentError(
      "unavailable",
      `the agent is in a PID namespace of its own (${own}), not in the host's; ${procRoot} is read instead`,
    );
  }
  return syscalls;
}

function requireBpf(parts: SourceParts): Syscalls {
  if (parts.syscalls === undefined)
    throw new AgentError("unavailable", "bpf(2) cannot be called without koffi");
  return requireHost(parts);
}

function readBtf(sysRoot: string): Btf {
  const file = `${sysRoot}/kernel/btf/vmlinux`;
  try {
    return parseBtf(readFileSync(file));
  } catch (error) {
    if (error instanceof AgentError) throw error;
    throw new AgentError("unavailable", `${file} cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

function ownPidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch (error) {
    return reasonOf(error);
  }
}
