import { readlinkSync } from "node:fs";
import { AgentError, reasonOf } from "../errors.ts";
import type { KernelUnits } from "../model.ts";
import type { Syscalls } from "../syscalls.ts";
import { createBpfSource } from "./bpf/bpf-source.ts";
import type { ProcessSource } from "./process-source.ts";
import { createProcfsSource } from "./procfs/procfs-source.ts";

/** The inode of the first PID namespace (PROC_PID_INIT_INO in include/linux/proc_ns.h). */
const hostPidNamespace = "pid:[4026531836]";

export interface SourceParts {
  readonly wanted: "auto" | "bpf" | "procfs";
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly units: KernelUnits;
  /** Undefined where koffi cannot load. */
  readonly syscalls: Syscalls | undefined;
}

/** The source in use, and why it is not the better one; null when it is, or was asked for. */
export interface ChosenSource {
  readonly source: ProcessSource;
  readonly reason: string | null;
}

/**
 * BPF where the kernel and the rights allow it, else procfs.
 * @throws AgentError `unavailable` when `bpf` was asked for and cannot be had
 */
export function chooseSource(parts: SourceParts): ChosenSource {
  const { procRoot: root, units } = parts;
  if (parts.wanted === "procfs") return { source: createProcfsSource({ root, units }), reason: null };
  try {
    return { source: openBpf(parts), reason: null };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    if (parts.wanted === "bpf")
      throw new AgentError("unavailable", `--source=bpf: ${error.message}`, { cause: error });
    return { source: createProcfsSource({ root, units }), reason: error.message };
  }
}

function openBpf({ procRoot: root, sysRoot, units, syscalls }: SourceParts): ProcessSource {
  if (syscalls === undefined) throw new AgentError("unavailable", "bpf(2) cannot be called without koffi");
  // The iterator shows the agent's own PID namespace: it must be the one that the procfs shows.
  if (root !== "/proc" && ownPidNamespace() !== hostPidNamespace) {
    throw new AgentError("unavailable", "the agent is not in the host's PID namespace");
  }
  return createBpfSource({ root, sysRoot, units, syscalls });
}

function ownPidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch (error) {
    return reasonOf(error);
  }
}
