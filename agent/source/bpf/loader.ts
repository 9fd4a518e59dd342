import { closeSync } from "node:fs";
import { AgentError } from "../../errors.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { Btf } from "./btf.ts";

// enum bpf_cmd of include/uapi/linux/bpf.h; its numbers never change.
const BPF_PROG_LOAD = 5;
const BPF_LINK_CREATE = 28;
const BPF_ITER_CREATE = 33;

/** union bpf_attr has grown to about this; the kernel wants the rest to be zero. */
const attributeBytes = 144;
const logBytes = 256 * 1024;
/** How much of the verifier's log is quoted: the reason stands at its end. */
const quotedBytes = 1_500;

/** An iterator that has been loaded and linked. */
export interface LoadedIterator {
  /** A descriptor from which one pass over all tasks is read; the caller closes it. */
  open(): number;
  close(): void;
}

/**
 * Loads a program as a task iterator (Documentation/bpf/bpf_iterators.rst) and links it.
 * @throws AgentError `unavailable` with the kernel's errno and the end of the verifier's log
 */
export function loadTaskIterator(program: Buffer, btf: Btf, syscalls: Syscalls): LoadedIterator {
  const attachType = btf.findEnumerator("BPF_TRACE_ITER");
  const programType = btf.findEnumerator("BPF_PROG_TYPE_TRACING");
  const target = btf.findFunctionId("bpf_iter_task");
  if (attachType === undefined || programType === undefined || target === undefined) {
    throw new AgentError("unavailable", "this kernel has no BPF task iterator");
  }
  const programFd = loadProgram(program, programType, attachType, target, syscalls);
  try {
    const link = Buffer.alloc(attributeBytes);
    link.writeUInt32LE(programFd, 0);
    link.writeUInt32LE(attachType, 8);
    const linkFd = syscalls.bpf(BPF_LINK_CREATE, link);
    return {
      open: () => {
        const iterator = Buffer.alloc(attributeBytes);
        iterator.writeUInt32LE(linkFd, 0);
        return syscalls.bpf(BPF_ITER_CREATE, iterator);
      },
      close: () => {
        closeSync(linkFd);
      },
    };
  } finally {
    // The link holds the program.
    closeSync(programFd);
  }
}

function loadProgram(
  program: Buffer,
  programType: number,
  attachType: number,
  target: number,
  syscalls: Syscalls,
): number {
  const license = Buffer.from("GPL\0");
  const log = Buffer.alloc(logBytes);
  const attributes = Buffer.alloc(attributeBytes);
  attributes.writeUInt32LE(programType, 0);
  attributes.writeUInt32LE(program.length / 8, 4);
  attributes.writeBigUInt64LE(syscalls.addressOf(program), 8);
  attributes.writeBigUInt64LE(syscalls.addressOf(license), 16);
  attributes.write("pidward_tasks", 48, "latin1");
  attributes.writeUInt32LE(attachType, 68);
  attributes.writeUInt32LE(target, 108);
  try {
    return syscalls.bpf(BPF_PROG_LOAD, attributes);
  } catch (first) {
    // The log costs time, so it is asked for only when there is something to explain.
    attributes.writeUInt32LE(1, 24);
    attributes.writeUInt32LE(log.length, 28);
    attributes.writeBigUInt64LE(syscalls.addressOf(log), 32);
    try {
      return syscalls.bpf(BPF_PROG_LOAD, attributes);
    } catch {
      const end = log.indexOf(0);
      const text = log.toString("latin1", Math.max(0, end - quotedBytes), end).trim();
      const why = first instanceof AgentError ? first.message : String(first);
      throw new AgentError(
        "unavailable",
        `the task iterator cannot be loaded: ${why}${text === "" ? "" : `\n${text}`}`,
      );
    }
  }
}
