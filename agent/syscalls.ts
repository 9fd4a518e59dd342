import { closeSync, openSync } from "node:fs";
import os from "node:os";
import { type AioCalls, bindAioCalls } from "./aio-calls.ts";
import { nameOfErrno } from "./errno.ts";
import { AgentError, reasonOf } from "./errors.ts";
import { bindFileCalls, type FileCalls, nodeFileCalls } from "./file-calls.ts";
import { createBatch, datagramsAtOnce } from "./netlink-batch.ts";

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
  readonly peerCredentials: (socketFd: number) => PeerCredentials | undefined;
  /**
   * bpf(2) with its attributes as bytes; gives the descriptor or 0. Buffers whose addresses are in the attributes must
   * be kept alive by the caller until it returns.
   * @throws AgentError `unavailable` with the errno
   */
  readonly bpf: (command: number, attributes: Buffer) => number;
  /**
   * mmap(2) with MAP_SHARED. After `unmap` the bytes must not be touched: the process would be killed.
   * @throws AgentError `unavailable` with the errno
   */
  readonly mapShared: (fd: number, length: number, offset: number, access: "read" | "write") => MappedMemory;
  /**
   * A netlink(7) socket that listens to the kernel's multicasts and never waits.
   * @param groups bit mask; @param receiveBytes room for what is not received yet, beyond the system's limit where the
   *   rights allow it
   * @throws AgentError `unavailable` with the errno
   */
  readonly openNetlink: (protocol: number, groups: number, receiveBytes: number) => NetlinkSocket;
  /**
   * socket(2) and connect(2), never waiting, in the network namespace that the descriptor names (setns(2) there and back
   * at once: a socket stays where it was made). Whether it is connected shows in reading and writing.
   * @param address four numbers with dots; @throws AgentError `unavailable` with the errno; it needs CAP_SYS_ADMIN
   */
  readonly connectInNetwork: (namespaceFd: number, address: string, port: number) => number;
  /**
   * adjtimex(2) that asks and sets nothing: fills the bytes of a struct timex, and gives the clock's state.
   * @throws AgentError `unavailable` with the errno
   */
  readonly readClock: (timex: Buffer) => number;
  /** mallopt(3), and whether it took the value; undefined where the C library has none. */
  readonly mallopt: ((parameter: number, value: number) => boolean) | undefined;
  /**
   * madvise(2) with MADV_DONTNEED, of pages that are as they are in their file: they are read from there when they are
   * used again. Others are lost.
   */
  readonly dropFilePages: (address: bigint, length: number) => void;
  /**
   * A file on a mount of its own that is read-only and of which nothing else knows: open_tree(2) with OPEN_TREE_CLONE,
   * mount_setattr(2). It can be executed as `/proc/self/fd/N`; who gets hold of it cannot write through it.
   * @throws AgentError `unavailable` with the errno; it needs CAP_SYS_ADMIN and Linux 5.12
   */
  readonly openReadOnlyMount: (path: string) => number;
  /**
   * sendto(2) on a datagram socket of unix(7) that is made for it, never waiting.
   * @param path a file, or an abstract name behind `@`; @throws AgentError `unavailable` with the errno
   */
  readonly sendDatagram: (path: string, message: Buffer) => void;
  /**
   * _exit(2): ends this process at once, and with it those of its threads that hang in the kernel where a signal that
   * kills reaches them. Node's own exit waits for its threads.
   */
  readonly exit: (code: number) => void;
  /** What scans read files with. */
  readonly files: FileCalls;
  /** Undefined where the C library has none. */
  readonly aio: AioCalls | undefined;
  /** Where a buffer's bytes are in memory; valid while the buffer is. */
  readonly addressOf: (buffer: Buffer) => bigint;
}

/** struct ucred of unix(7). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** A socket of netlink(7). */
export interface NetlinkSocket {
  /** @throws AgentError `unavailable` with the errno */
  send(message: Buffer): void;
  /**
   * Hands over every datagram that the kernel itself has sent, up to `most`; the bytes are valid during the call only.
   * @returns whether there may be more
   */
  receive(take: (datagram: Buffer) => void, most: number): boolean;
  close(): void;
}

/** Memory shared with the kernel. */
export interface MappedMemory {
  readonly bytes: ArrayBuffer;
  unmap(): void;
}

// The numbers of calls made since 2019 are the same on every architecture that Node runs on
// (include/uapi/asm-generic/unistd.h).
const SYS_pidfd_send_signal = 424;
const SYS_open_tree = 428;
const SYS_pidfd_open = 434;
const SYS_openat2 = 437;
const SYS_mount_setattr = 442;

// Older than that, so each architecture has its own: arch/*/entry/syscalls, include/uapi/asm-generic/unistd.h.
const bpfNumbers: Readonly<Record<string, number>> = {
  x64: 321,
  arm64: 280,
  riscv64: 280,
  loong64: 280,
  ppc64: 361,
  s390x: 351,
};

const bpfTries = 20;

const POLLIN = 1;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const MOUNT_ATTR_RDONLY = 1n;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MADV_DONTNEED = 4;
const MAP_FAILED = 2n ** 64n - 1n;

const CLONE_NEWNET = 0x40000000;
const AF_INET = 2;
const SOCK_STREAM_CLOEXEC_NONBLOCK = 1 | 0o2000000 | 0o4000;
/** struct sockaddr_in { u16 family; be16 port; u8 address[4]; u8 zero[8] } of ip(7) */
const inetAddressBytes = 16;

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;
const MSG_NOSIGNAL = 0x4000;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0o2000000 | 0o4000;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
/** struct sockaddr_nl { u16 family, pad; u32 pid, groups } */
const netlinkAddressBytes = 12;

/**
 * Binds the calls through koffi.
 * @throws AgentError `unavailable` when koffi or the C library cannot be loaded; the agent then works without
 */
export async function loadSyscalls(): Promise<Syscalls> {
  try {
    const { default: koffi } = await import("koffi");
    const errno = (): string => nameOfErrno(koffi.errno());
    // The program itself has the C library's symbols, whatever that library's file is called.
    const libc = koffi.load(null);
    const pidfdOpen = libc.func("syscall", "long", ["long", "int", "uint"]);
    const pidfdSendSignal = libc.func("syscall", "long", ["long", "int", "int", "void *", "uint"]);
    const openat2 = libc.func("syscall", "long", ["long", "int", "str", "void *", "size_t"]);
    const bpf = libc.func("syscall", "long", ["long", "int", "void *", "uint"]);
    const openTree = libc.func("syscall", "long", ["long", "int", "str", "uint"]);
    const mountSetattr = libc.func("syscall", "long", ["long", "int", "str", "uint", "void *", "size_t"]);
    const poll = libc.func("poll", "int", ["void *", "ulong", "int"]);
    const getsockopt = libc.func("getsockopt", "int", ["int", "int", "int", "void *", "void *"]);
    const mmap = libc.func("mmap", "uintptr_t", ["void *", "size_t", "int", "int", "int", "long"]);
    const munmap = libc.func("munmap", "int", ["uintptr_t", "size_t"]);
    const madvise = libc.func("madvise", "int", ["uintptr_t", "size_t", "int"]);
    const socket = libc.func("socket", "int", ["int", "int", "int"]);
    const connect = libc.func("connect", "int", ["int", "void *", "uint"]);
    const setns = libc.func("setns", "int", ["int", "int"]);
    const bind = libc.func("bind", "int", ["int", "void *", "uint"]);
    const setsockopt = libc.func("setsockopt", "int", ["int", "int", "int", "void *", "uint"]);
    const send = libc.func("send", "long", ["int", "void *", "size_t", "int"]);
    const sendto = libc.func("sendto", "long", ["int", "void *", "size_t", "int", "void *", "uint"]);
    const adjtimex = libc.func("adjtimex", "int", ["void *"]);
    const mallopt = optional(() => libc.func("mallopt", "int", ["int", "int"]));
    const exit = libc.func("_exit", "void", ["int"]);
    const recvmmsg = libc.func("recvmmsg", "int", ["int", "void *", "uint", "int", "void *"]);
    return {
      files: bindFileCalls((...symbol) => libc.func(...symbol), koffi.errno) ?? nodeFileCalls,
      aio: optional(() =>
        bindAioCalls(
          (...symbol) => libc.func(...symbol),
          koffi.errno,
          (memory) => BigInt(koffi.address(memory)),
        ),
      ),
      mallopt: mallopt && ((parameter, value) => mallopt(parameter, value) === 1),
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
        if (pid === 0) return undefined;
        return { pid, uid: credentials.readUInt32LE(4), gid: credentials.readUInt32LE(8) };
      },
      bpf: (command, attributes) => {
        const number = bpfNumbers[process.arch];
        if (number === undefined)
          throw new AgentError("unavailable", `bpf(2) has no known number on ${process.arch}`);
        // A signal that comes while the verifier works makes it give up; libbpf tries again likewise.
        for (let tries = 0; tries < bpfTries; tries++) {
          const result: number = bpf(number, command, attributes, attributes.length);
          if (result >= 0) return result;
          if (koffi.errno() !== os.constants.errno.EAGAIN) break;
        }
        throw new AgentError("unavailable", `bpf(2) command ${command} was refused: ${errno()}`);
      },
      mapShared: (fd, length, offset, access) => {
        const protection = access === "write" ? PROT_READ | PROT_WRITE : PROT_READ;
        const address = BigInt(mmap(null, length, protection, MAP_SHARED, fd, offset));
        if (address === MAP_FAILED)
          throw new AgentError("unavailable", `mmap(2) of ${length} bytes was refused: ${errno()}`);
        return { bytes: koffi.view(address, length), unmap: () => void munmap(address, length) };
      },
      dropFilePages: (address, length) => void madvise(address, length, MADV_DONTNEED),
      openNetlink: (protocol, groups, receiveBytes) => {
        const fd: number = socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, protocol);
        if (fd < 0) throw new AgentError("unavailable", `a netlink socket was refused: ${errno()}`);
        const size = Buffer.alloc(4);
        size.writeInt32LE(receiveBytes);
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size, size.length) !== 0)
          setsockopt(fd, SOL_SOCKET, SO_RCVBUF, size, size.length);
        const address = Buffer.alloc(netlinkAddressBytes);
        address.writeUInt16LE(AF_NETLINK, 0);
        address.writeUInt32LE(groups, 8);
        if (bind(fd, address, address.length) !== 0) {
          const code = errno();
          closeSync(fd);
          throw new AgentError("unavailable", `a netlink socket cannot be bound: ${code}`);
        }
        const batch = createBatch((buffer) => BigInt(koffi.address(buffer.buffer)));
        // The number of a closed descriptor can be another's already.
        let isOpen = true;
        return {
          send: (message) => {
            if (send(fd, message, message.length, 0) === message.length) return;
            throw new AgentError("unavailable", `sending on a netlink socket was refused: ${errno()}`);
          },
          receive: (take, most) => {
            for (let received = 0; isOpen && received < most; ) {
              const count: number = recvmmsg(fd, batch.headers, datagramsAtOnce, 0, null);
              // ENOBUFS says once that datagrams were dropped; what follows is still there.
              if (count < 0 && errno() !== "ENOBUFS") return false;
              for (let index = 0; index < count; index++) {
                const datagram = batch.datagram(index);
                if (datagram !== undefined) take(datagram);
              }
              batch.reset();
              received += Math.max(count, 1);
            }
            return isOpen;
          },
          close: () => {
            if (isOpen) closeSync(fd);
            isOpen = false;
          },
        };
      },
      sendDatagram: (path, message) => {
        const name = Buffer.from(path.replace(/^@/, "\0"));
        // struct sockaddr_un { u16 family; char path[108] }
        const target = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]);
        if (os.endianness() === "BE") target.writeUInt16BE(AF_UNIX, 0);
        if (name.length > 107) throw new AgentError("unavailable", `${path} is longer than 107 bytes`);
        const fd: number = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0);
        if (fd < 0) throw new AgentError("unavailable", `a socket was refused: ${errno()}`);
        const sent = sendto(fd, message, message.length, MSG_NOSIGNAL, target, target.length);
        const code = errno();
        closeSync(fd);
        if (sent < 0) throw new AgentError("unavailable", `sending to ${path} was refused: ${code}`);
      },
      connectInNetwork: (namespaceFd, address, port) => {
        const home = openSync("/proc/thread-self/ns/net", "r");
        try {
          if (setns(namespaceFd, CLONE_NEWNET) !== 0)
            throw new AgentError("unavailable", `entering the container's network was refused: ${errno()}`);
          const fd: number = socket(AF_INET, SOCK_STREAM_CLOEXEC_NONBLOCK, 0);
          const refusal = fd < 0 ? errno() : undefined;
          // Left in a container's network, the agent would serve and ask others than it should.
          if (setns(home, CLONE_NEWNET) !== 0) process.abort();
          if (refusal !== undefined) throw new AgentError("unavailable", `a socket was refused: ${refusal}`);
          const target = Buffer.alloc(inetAddressBytes);
          target.writeUInt16LE(AF_INET, 0);
          target.writeUInt16BE(port, 2);
          target.set(address.split(".").map(Number), 4);
          if (connect(fd, target, target.length) === 0 || errno() === "EINPROGRESS") return fd;
          const code = errno();
          closeSync(fd);
          throw new AgentError("unavailable", `connecting to ${address}:${port} was refused: ${code}`);
        } finally {
          closeSync(home);
        }
      },
      exit: (code) => void exit(code),
      readClock: (timex) => {
        // The first field says what is to be set: nothing.
        const state: number = adjtimex(timex.fill(0));
        if (state < 0) throw new AgentError("unavailable", `adjtimex(2) was refused: ${errno()}`);
        return state;
      },
      openReadOnlyMount: (path) => {
        const fd: number = openTree(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC);
        if (fd < 0) throw new AgentError("unavailable", `open_tree(${path}) was refused: ${errno()}`);
        // struct mount_attr { u64 set, clear, propagation, userns_fd }
        const attributes = Buffer.alloc(32);
        attributes.writeBigUInt64LE(MOUNT_ATTR_RDONLY, 0);
        if (mountSetattr(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, attributes, attributes.length) === 0)
          return fd;
        const code = errno();
        closeSync(fd);
        throw new AgentError("unavailable", `mount_setattr(${path}) was refused: ${code}`);
      },
      // Asked of the ArrayBuffer: the bytes of a small typed array that has none yet lie where the collector moves them.
      addressOf: (buffer) => BigInt(koffi.address(buffer.buffer)) + BigInt(buffer.byteOffset),
    };
  } catch (error) {
    throw new AgentError("unavailable", `koffi cannot be loaded: ${reasonOf(error)}`, { cause: error });
  }
}

/** What the C library may not have. */
function optional<T>(load: () => T): T | undefined {
  try {
    return load();
  } catch {
    // koffi throws for a symbol that is not there.
    return undefined;
  }
}
