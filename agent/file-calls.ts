import { closeSync, openSync, readSync, statSync } from "node:fs";

/**
 * What a scan of procfs asks of the kernel, several times for each process. An error is the negative number of errno(3),
 * not an exception: processes that end meanwhile are the rule.
 */
export interface FileCalls {
  /** open(2) for reading: a descriptor. */
  readonly open: (path: string) => number;
  /** read(2) into the buffer from that position on: how many bytes. */
  readonly read: (fd: number, into: Buffer, from: number) => number;
  readonly close: (fd: number) => void;
  /** st_size of stat(2). */
  readonly size: (path: string) => number;
}

/** By Node: each call takes microseconds beyond the kernel's own time. */
export const nodeFileCalls: FileCalls = {
  open: (path) => withErrno(() => openSync(path, "r")),
  read: (fd, into, from) => withErrno(() => readSync(fd, into, from, into.length - from, null)),
  close: closeSync,
  size: (path) => withErrno(() => statSync(path).size),
};

/** Node's errors of system calls bear the negative number. @throws whatever is no such error */
function withErrno(call: () => number): number {
  try {
    return call();
  } catch (error) {
    // Not by its class: an error of another context is no instance of this one's.
    const errno = typeof error === "object" && error !== null && "errno" in error ? error.errno : undefined;
    if (typeof errno === "number") return errno;
    throw error;
  }
}

const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;
const AT_FDCWD = -100;
const STATX_SIZE = 0x200;
/** struct statx of statx(2): u64 stx_size stands at 40. */
const statxBytes = 256;
const statxSizeAt = 40;

/** A function of the C library. */
export type NativeFunction = (...values: (number | string | Uint8Array | ArrayBuffer)[]) => number;

/**
 * The C library's own functions, a third of a microsecond each.
 * @param bind makes a function of its name and its C types; @param errno gives that of the last call
 * @returns undefined where the C library lacks one (statx(3): glibc 2.28, musl 1.2.5)
 */
export function bindFileCalls(
  bind: (name: string, result: string, parameters: string[]) => NativeFunction,
  errno: () => number,
): FileCalls | undefined {
  try {
    const open = bind("open", "int", ["str", "int"]);
    const read = bind("read", "long", ["int", "void *", "size_t"]);
    const close = bind("close", "int", ["int"]);
    const statx = bind("statx", "int", ["int", "str", "int", "uint", "void *"]);
    const facts = new ArrayBuffer(statxBytes);
    const size = new BigUint64Array(facts, statxSizeAt, 1);
    const orErrno = (result: number): number => (result < 0 ? -errno() : result);
    return {
      open: (path) => orErrno(open(path, O_RDONLY | O_CLOEXEC)),
      read: (fd, into, from) =>
        orErrno(read(fd, from === 0 ? into : into.subarray(from), into.length - from)),
      close: (fd) => void close(fd),
      size: (path) => {
        const result = statx(AT_FDCWD, path, 0, STATX_SIZE, facts);
        return result < 0 ? -errno() : Number(size[0]);
      },
    };
  } catch {
    // A symbol that is not there.
    return undefined;
  }
}
