import { closeSync } from "node:fs";
import { AgentError } from "../../errors.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { Btf } from "./btf.ts";

// enum bpf_cmd of include/uapi/linux/bpf.h; its numbers never change.
const BPF_PROG_LOAD = 5;
const BPF_PROG_RUN = 10;
const BPF_RAW_TRACEPOINT_OPEN = 17;
const BPF_LINK_CREATE = 28;
const BPF_ITER_CREATE = 33;

/** Flag of a program that may sleep, which all are that calls run (include/uapi/linux/bpf.h). */
const BPF_F_SLEEPABLE = 16;

/** union bpf_attr has grown to about this; the kernel wants the rest to be zero. */
export const attributeBytes = 144;
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
  const target = btf.findFunctionId("bpf_iter_task");
  const attachType = btf.findEnumerator("BPF_TRACE_ITER");
  if (target === undefined || attachType === undefined) {
    throw new AgentError("unavailable", "this kernel has no BPF task iterator");
  }
  const programFd = loadTracing(
    { name: "pidward_tasks", code: program, target, attachType: "BPF_TRACE_ITER" },
    btf,
    syscalls,
  );
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

/**
 * Loads a program and attaches it to a tracepoint with typed arguments (`tp_btf`).
 * @returns what detaches it
 * @throws AgentError `unavailable` when the kernel has no such tracepoint or refuses
 */
export function attachTracepoint(
  tracepoint: string,
  program: Buffer,
  btf: Btf,
  syscalls: Syscalls,
): { close(): void } {
  const target = btf.findTracepoint(tracepoint)?.typeId;
  if (target === undefined)
    throw new AgentError("unavailable", `this kernel has no tracepoint ${tracepoint}`);
  const name = tracepoint.replace("sched_process_", "pidward_");
  const programFd = loadTracing(
    { name, code: program, target, attachType: "BPF_TRACE_RAW_TP" },
    btf,
    syscalls,
  );
  try {
    // Without a name: the tracepoint is the one that the program was loaded for.
    const attributes = Buffer.alloc(attributeBytes);
    attributes.writeUInt32LE(programFd, 8);
    const linkFd = syscalls.bpf(BPF_RAW_TRACEPOINT_OPEN, attributes);
    return { close: () => closeSync(linkFd) };
  } finally {
    closeSync(programFd);
  }
}

/** A program that calls run. */
export interface CallableProgram {
  readonly fd: number;
  /** Runs it to its end. @throws AgentError `unavailable` with the kernel's errno */
  call(): void;
  close(): void;
}

/**
 * Loads a program of the type BPF_PROG_TYPE_SYSCALL, which does nothing but when it is called (BPF_PROG_RUN); since Linux 5.14.
 * @throws AgentError `unavailable` with the kernel's errno and the end of the verifier's log
 */
export function loadCallable(program: Buffer, name: string, btf: Btf, syscalls: Syscalls): CallableProgram {
  const type = btf.findEnumerator("BPF_PROG_TYPE_SYSCALL");
  if (type === undefined) throw new AgentError("unavailable", "this kernel has no BPF programs to be called");
  const fd = loadProgram({ name, code: program, type, flags: BPF_F_SLEEPABLE }, syscalls);
  const attributes = Buffer.alloc(attributeBytes);
  attributes.writeUInt32LE(fd, 0);
  return {
    fd,
    call: () => {
      syscalls.bpf(BPF_PROG_RUN, attributes);
    },
    close: () => closeSync(fd),
  };
}

interface TracingProgram {
  /** At most 15 characters of letters, digits, `_` and `.`. */
  readonly name: string;
  readonly code: Buffer;
  /** BTF id of the function or tracepoint's typedef that it is for. */
  readonly target: number;
  readonly attachType: "BPF_TRACE_ITER" | "BPF_TRACE_RAW_TP";
}

function loadTracing(program: TracingProgram, btf: Btf, syscalls: Syscalls): number {
  // The numbers of attach types differ between kernels, so they come from its own enum.
  const attachType = btf.findEnumerator(program.attachType);
  const type = btf.findEnumerator("BPF_PROG_TYPE_TRACING");
  if (attachType === undefined || type === undefined)
    throw new AgentError("unavailable", `this kernel has no ${program.attachType}`);
  return loadProgram(
    { name: program.name, code: program.code, type, attachType, target: program.target },
    syscalls,
  );
}

interface Program {
  readonly name: string;
  readonly code: Buffer;
  readonly type: number;
  readonly flags?: number;
  readonly attachType?: number;
  readonly target?: number;
}

function loadProgram(program: Program, syscalls: Syscalls): number {
  const license = Buffer.from("GPL\0");
  const log = Buffer.alloc(logBytes);
  const attributes = Buffer.alloc(attributeBytes);
  attributes.writeUInt32LE(program.type, 0);
  attributes.writeUInt32LE(program.code.length / 8, 4);
  attributes.writeBigUInt64LE(syscalls.addressOf(program.code), 8);
  attributes.writeBigUInt64LE(syscalls.addressOf(license), 16);
  attributes.writeUInt32LE(program.flags ?? 0, 44);
  attributes.write(program.name, 48, "latin1");
  attributes.writeUInt32LE(program.attachType ?? 0, 68);
  attributes.writeUInt32LE(program.target ?? 0, 108);
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
        `the program ${program.name} cannot be loaded: ${why}${text === "" ? "" : `\n${text}`}`,
      );
    }
  }
}
