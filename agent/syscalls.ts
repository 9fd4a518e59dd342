import os from "node:os";
import { AgentError, reasonOf } from "./errors.ts";

/** The system calls that Node does not offer, each a typed function. Failures are AgentErrors that quote the errno. */
export interface Syscalls {
  /** pidfd_open(2): a descriptor for this life of the PID; undefined when no such process exists. */
  readonly openPidfd: (pid: number) => number | undefined;
  /**
   * pidfd_send_signal(2); false when the process has ended.
   * @throws AgentError `no_rights` when the kernel refuses
   */
  readonly signalPidfd: (pidfd: number, signal: number) => boolean;
  /** Whether the process of the pidfd has ended, a zombie included (poll(2) on the pidfd). Never waits. */
  readonly pidfdExited: (pidfd: number) => boolean;
  /**
   * openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS: the path, and every link in it, stays below the
   * folder. Undefined when there is no such file; other errors throw with their code.
   */
  readonly openInRoot: (rootFd: number, path: string, flags: number) => number | undefined;
  /** SO_PEERCRED of unix(7): who connected, as the kernel noted it then; undefined for other sockets. */
  readonly peerCredentials: (socketFd: number) => { readonly pid: number; readonly uid: number } | undefined;
  /**
   * bpf(2) with its attributes as bytes; gives the descriptor or 0. Buffers whose addresses are in the attributes must
   * be kept alive by the caller until it returns.
   * @throws AgentError `unavailable` with the errno
   */
  readonly bpf: (command: number, attributes: Buffer) => number;
  /** Where a buffer's bytes are in memory; valid while the buffer is. */
  readonly addressOf: (buffer: Buffer) => bigint;
}

// The numbers of calls made since 2019 are the same on every architecture that Node runs on
// (include/uapi/asm-generic/unistd.h).
const SYS_pidfd_send_signal = 424;
const SYS_pidfd_open = 434;
const SYS_openat2 = 437;

// Older than that, so each architecture has its own: arch/*/entry/syscalls, include/uapi/asm-generic/unistd.h.
const bpfNumbers: Readonly<Record<string, number>> = {
  x64: 321,
  arm64: 280,
  riscv64: 280,
  loong64: 280,
  ppc64: 361,
  s390x: 351,
};

const POLLIN = 1;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

const errnoNames = new Map(Object.entries(os.constants.errno).map(([name, value]) => [value, name]));

/**
 * Binds the calls through koffi.
 * @throws AgentError `unavailable` when koffi or the C library cannot be loaded; the agent then works without
 */
export async function loadSyscalls(): Promise<Syscalls> {
  try {
    const { default: koffi } = await import("koffi");
    const errno = (): string => errnoNames.get(koffi.errno()) ?? `errno ${koffi.errno()}`;
    // The program itself has the C library's symbols, whatever that library's file is called.
    const libc = koffi.load(null);
    const pidfdOpen = libc.func("syscall", "long", ["long", "int", "uint"]);
    const pidfdSendSignal = libc.func("syscall", "long", ["long", "int", "int", "void *", "uint"]);
    const openat2 = libc.func("syscall", "long", ["long", "int", "str", "void *", "size_t"]);
    const bpf = libc.func("syscall", "long", ["long", "int", "void *", "uint"]);
    const poll = libc.func("poll", "int", ["void *", "ulong", "int"]);
    const getsockopt = libc.func("getsockopt", "int", ["int", "int", "int", "void *", "void *"]);
    return {
      openPidfd: (pid) => {
        const fd: number = pidfdOpen(SYS_pidfd_open, pid, 0);
        if (fd >= 0) return fd;
        const code = errno();
        // EINVAL: the number is a thread's, which is no process.
        if (code === "ESRCH" || code === "EINVAL") return undefined;
        throw new AgentError("unavailable", `pidfd_open(${pid}) was refused: ${code}`);
      },
      signalPidfd: (pidfd, signal) => {
        if (pidfdSendSignal(SYS_pidfd_send_signal, pidfd, signal, null, 0) === 0) return true;
        const code = errno();
        if (code === "ESRCH") return false;
        throw new AgentError("no_rights", `the kernel refused signal ${signal}: ${code}`);
      },
      pidfdExited: (pidfd) => {
        const request = Buffer.alloc(8);
        request.writeInt32LE(pidfd, 0);
        request.writeInt16LE(POLLIN, 4);
        return poll(request, 1, 0) === 1;
      },
      openInRoot: (rootFd, path, flags) => {
        const how = Buffer.alloc(24);
        how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
        how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16);
        const fd: number = openat2(SYS_openat2, rootFd, path, how, how.length);
        if (fd >= 0) return fd;
        const code = errno();
        if (code === "ENOENT" || code === "ENOTDIR") return undefined;
        throw new AgentError("unavailable", `opening ${path} inside the container was refused: ${code}`);
      },
      peerCredentials: (socketFd) => {
        const credentials = Buffer.alloc(12);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(credentials.length);
        if (getsockopt(socketFd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0) return undefined;
        const pid = credentials.readInt32LE(0);
        return pid === 0 ? undefined : { pid, uid: credentials.readUInt32LE(4) };
      },
      bpf: (command, attributes) => {
        const number = bpfNumbers[process.arch];
        if (number === undefined)
          throw new AgentError("unavailable", `bpf(2) has no known number on ${process.arch}`);
        const result: number = bpf(number, command, attributes, attributes.length);
        if (result >= 0) return result;
        throw new AgentError("unavailable", `bpf(2) command ${command} was refused: ${errno()}`);
      },
      addressOf: (buffer) => BigInt(koffi.address(buffer)),
    };
  } catch (error) {
    throw new AgentError("unavailable", `koffi cannot be loaded: ${reasonOf(error)}`, { cause: error });
  }
}
