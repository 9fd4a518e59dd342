import os from "node:os";
import koffi from "koffi";
import { nameOfErrno } from "./errno.ts";
import { AgentError } from "./errors.ts";

/**
 * System calls that change the calling thread or process for good. Only a helper process that ends afterwards may make
 * them (control/namespace-helper.ts), from its main thread: a child that it starts inherits from that one.
 * Failures are AgentErrors `failed` that name the call and quote the errno.
 */
export interface NamespaceCalls {
  /** PR_SET_DUMPABLE off, prctl(2): what is forked from here cannot be looked into or traced without CAP_SYS_PTRACE. */
  readonly hide: () => void;
  /** unshare(2) with CLONE_FS: root and working directory become the main thread's own, or setns(2) refuses a mount namespace. */
  readonly ownFolders: () => void;
  /** setns(2); of a PID namespace it is the later children that are in it. */
  readonly enter: (kind: NamespaceKind, fd: number) => void;
  /** Drops every capability that is not in the set from the bounding set, capabilities(7). */
  readonly boundCapabilities: (keep: bigint) => void;
  /** PR_SET_KEEPCAPS: the permitted set outlives the change to another user, until the next execve(2). */
  readonly keepCapabilities: () => void;
  readonly setCapabilities: (sets: CapabilitySets) => void;
  readonly forbidNewPrivileges: () => void;
  /**
   * prlimit(2) of a process of the same user, or of this one (0). Where the hard limit may not be raised it stays, and the
   * soft one is at most that.
   */
  readonly setLimit: (pid: number, resource: number, soft: bigint, hard: bigint) => void;
  /** The CPUs that a process may run on, as sched_getaffinity(2) gives them, and the same for the main thread. */
  readonly readAffinity: (pid: number) => Buffer;
  readonly setAffinity: (cpus: Buffer) => void;
  /** KEYCTL_JOIN_SESSION_KEYRING, keyctl(2): a new empty one, so that the caller's keys are not handed on. */
  readonly leaveKeyring: () => void;
  /**
   * The oldest seccomp(2) filter of a process, which a runtime has put on it: stops the process for a moment
   * (PTRACE_SECCOMP_GET_FILTER, ptrace(2)). Instructions of struct sock_filter, 8 bytes each.
   */
  readonly readSeccompFilter: (pid: number) => Buffer;
  /** Filters the main thread from now on; needs CAP_SYS_ADMIN or no_new_privs. */
  readonly applySeccompFilter: (instructions: Buffer) => void;
}

/** Sets as bits, bit N for capability N. */
export interface CapabilitySets {
  /** Also effective. */
  readonly permitted: bigint;
  readonly inheritable: bigint;
  /** A part of both others. */
  readonly ambient: bigint;
}

/** RLIM_INFINITY */
export const unlimited = 2n ** 64n - 1n;

// include/uapi/linux/sched.h
const CLONE_FS = 0x00000200;
const cloneFlags = {
  net: 0x40000000,
  uts: 0x04000000,
  ipc: 0x08000000,
  cgroup: 0x02000000,
  pid: 0x20000000,
  mnt: 0x00020000,
} as const;

/** As /proc/PID/ns names them. */
export type NamespaceKind = keyof typeof cloneFlags;

// include/uapi/linux/prctl.h
const PR_SET_DUMPABLE = 4;
const PR_SET_KEEPCAPS = 8;
const PR_SET_SECCOMP = 22;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

const SECCOMP_MODE_FILTER = 2;

// include/uapi/linux/ptrace.h
const PTRACE_DETACH = 17;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const PTRACE_SECCOMP_GET_FILTER = 0x420c;
const __WALL = 0x40000000;
const WNOHANG = 1;
/** BPF_MAXINSNS times the size of struct sock_filter. */
const mostFilterBytes = 4096 * 8;
/** Room for 8192 CPUs, the most that a kernel is built for. */
const mostCpuBytes = 1024;
/** A process that waits for a disk does not stop. */
const stopLimitMs = 2_000;

const KEYCTL_JOIN_SESSION_KEYRING = 1;
// arch/*/entry/syscalls, include/uapi/asm-generic/unistd.h.
const keyctlNumbers: Readonly<Record<string, number>> = {
  x64: 250,
  arm64: 219,
  riscv64: 219,
  loong64: 219,
  ppc64: 271,
  s390x: 280,
};

const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
/** A bit more than any kernel has: one that it does not have ends the loops. */
const mostCapabilities = 64;

/** Lets the thread sleep: nothing else runs in a helper. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Binds the calls through koffi. @throws Error when koffi or the C library cannot be loaded */
export function loadNamespaceCalls(): NamespaceCalls {
  const libc = koffi.load(null);
  const unshare = libc.func("unshare", "int", ["int"]);
  const setns = libc.func("setns", "int", ["int", "int"]);
  const prctl = libc.func("prctl", "int", ["int", "ulong", "ulong", "ulong", "ulong"]);
  const seccomp = libc.func("prctl", "int", ["int", "ulong", "void *", "ulong", "ulong"]);
  const capset = libc.func("capset", "int", ["void *", "void *"]);
  const prlimit = libc.func("prlimit", "int", ["int", "int", "void *", "void *"]);
  const getAffinity = libc.func("sched_getaffinity", "int", ["int", "size_t", "void *"]);
  const setAffinity = libc.func("sched_setaffinity", "int", ["int", "size_t", "void *"]);
  const keyctl = libc.func("syscall", "long", ["long", "int", "void *"]);
  const ptrace = libc.func("ptrace", "long", ["int", "int", "uintptr_t", "void *"]);
  const waitpid = libc.func("waitpid", "int", ["int", "void *", "int"]);
  const check = (result: number, call: string): void => {
    if (result >= 0) return;
    const code = nameOfErrno(koffi.errno());
    throw new AgentError("failed", `${call} was refused: ${code}`);
  };
  const awaitStop = (pid: number): void => {
    for (const deadline = performance.now() + stopLimitMs; performance.now() < deadline; pause(1)) {
      const stopped = waitpid(pid, null, __WALL | WNOHANG);
      check(stopped, `waiting for ${pid} to stop`);
      if (stopped === pid) return;
    }
    throw new AgentError(
      "failed",
      `${pid} did not stop within ${stopLimitMs / 1000} s to have its seccomp filter read`,
    );
  };
  const control = (option: number, ...values: readonly number[]): number => {
    const [second = 0, third = 0, fourth = 0, fifth = 0] = values;
    return prctl(option, second, third, fourth, fifth);
  };
  const addressOf = (buffer: Buffer): bigint =>
    BigInt(koffi.address(buffer.buffer)) + BigInt(buffer.byteOffset);
  const capabilities = (set: bigint): readonly number[] =>
    Array.from({ length: mostCapabilities }, (_, bit) => bit).filter((bit) => (set >> BigInt(bit)) & 1n);
  return {
    hide: () => check(control(PR_SET_DUMPABLE, 0), "hiding the helper"),
    ownFolders: () => check(unshare(CLONE_FS), "unshare(CLONE_FS)"),
    enter: (kind, fd) => check(setns(fd, cloneFlags[kind]), `entering the ${kind} namespace`),
    boundCapabilities: (keep) => {
      for (const bit of capabilities(~keep & unlimited)) {
        const has = control(PR_CAPBSET_READ, bit);
        if (has < 0) return;
        if (has === 1)
          check(control(PR_CAPBSET_DROP, bit), `dropping capability ${bit} from the bounding set`);
      }
    },
    keepCapabilities: () => check(control(PR_SET_KEEPCAPS, 1), "keeping capabilities"),
    setCapabilities: ({ permitted, inheritable, ambient }) => {
      const header = Buffer.alloc(8);
      header.writeUInt32LE(_LINUX_CAPABILITY_VERSION_3, 0);
      // struct __user_cap_data_struct { u32 effective, permitted, inheritable } twice: the lower bits and the upper
      const data = Buffer.alloc(24);
      for (const [half, shift] of [0n, 32n].entries()) {
        const low = (set: bigint): number => Number((set >> shift) & 0xffffffffn);
        data.writeUInt32LE(low(permitted), half * 12);
        data.writeUInt32LE(low(permitted), half * 12 + 4);
        data.writeUInt32LE(low(inheritable), half * 12 + 8);
      }
      check(capset(header, data), "setting capabilities");
      check(control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL), "clearing ambient capabilities");
      for (const bit of capabilities(ambient))
        check(control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit), `raising ambient capability ${bit}`);
    },
    forbidNewPrivileges: () => check(control(PR_SET_NO_NEW_PRIVS, 1), "setting no_new_privs"),
    setLimit: (pid, resource, soft, hard) => {
      // struct rlimit { soft, hard }
      const limit = Buffer.alloc(16);
      const set = (): boolean => {
        limit.writeBigUInt64LE(soft, 0);
        limit.writeBigUInt64LE(hard, 8);
        return prlimit(pid, resource, limit, null) === 0;
      };
      if (set()) return;
      check(prlimit(pid, resource, null, limit), `reading limit ${resource}`);
      hard = limit.readBigUInt64LE(8);
      if (soft > hard) soft = hard;
      if (!set()) check(-1, `setting limit ${resource}`);
    },
    readAffinity: (pid) => {
      const cpus = Buffer.alloc(mostCpuBytes);
      check(getAffinity(pid, cpus.length, cpus), `reading the CPUs of ${pid}`);
      return cpus;
    },
    setAffinity: (cpus) => check(setAffinity(0, cpus.length, cpus), "setting the CPUs"),
    leaveKeyring: () => {
      const number = keyctlNumbers[process.arch];
      if (number === undefined)
        throw new AgentError("failed", `keyctl(2) has no known number on ${process.arch}`);
      const result: number = keyctl(number, KEYCTL_JOIN_SESSION_KEYRING, null);
      // ENOSYS: a kernel without keyrings.
      if (koffi.errno() !== os.constants.errno.ENOSYS) check(result, "leaving the session keyring");
    },
    readSeccompFilter: (pid) => {
      check(ptrace(PTRACE_SEIZE, pid, 0, null), `attaching to ${pid} for its seccomp filter`);
      // From here on the end of this process detaches too.
      check(ptrace(PTRACE_INTERRUPT, pid, 0, null), `stopping ${pid} for its seccomp filter`);
      awaitStop(pid);
      const instructions = Buffer.alloc(mostFilterBytes);
      const count: number = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, instructions);
      check(count, `reading the seccomp filter of ${pid}`);
      check(ptrace(PTRACE_DETACH, pid, 0, null), `letting go of ${pid}`);
      return instructions.subarray(0, count * 8);
    },
    applySeccompFilter: (instructions) => {
      // struct sock_fprog { u16 length; struct sock_filter *filter }
      const program = Buffer.alloc(16);
      program.writeUInt16LE(instructions.length / 8, 0);
      program.writeBigUInt64LE(addressOf(instructions), 8);
      check(
        seccomp(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0),
        "putting the container's seccomp filter on",
      );
    },
  };
}
