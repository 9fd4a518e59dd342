import { closeSync, constants, fstatSync, opendirSync, openSync, readSync } from "node:fs";
import { systemCode } from "../errors.ts";
import type { Syscalls } from "../syscalls.ts";

/**
 * Files inside a container, resolved inside its root: an absolute link in it leads to the container's file, never to
 * the host's. What is read is the container's own word and no more.
 */
export interface ContainerFiles {
  /** The content of a regular file, cut at `maxBytes`; undefined when there is none. A FIFO or device is not opened. */
  readonly read: (path: string, maxBytes: number) => Buffer | undefined;
  /** Whether a regular file with an execute bit is there. */
  readonly isExecutable: (path: string) => boolean;
  readonly isFolder: (path: string) => boolean;
}

/** The same, and more that managers need. */
export interface ContainerRoot extends ContainerFiles {
  /** Names in a folder, in no order, ten thousand at most; none where there is no folder. */
  readonly list: (path: string) => readonly string[];
  /**
   * A descriptor that stands for a socket or FIFO (O_PATH, open(2)) and is to be closed; what is behind a link counts.
   * Undefined when there is none. `/proc/self/fd/N` is its path, and no longer than a socket's path may be.
   */
  readonly openSpecial: (path: string, kind: "socket" | "fifo") => number | undefined;
}

/**
 * @param pid host PID of a process whose root is meant, as a rule the container's init
 * @returns readers that find nothing once the process is gone, and throw with a system code when its root may not be
 *   opened (needs CAP_SYS_PTRACE)
 */
export function openContainerFiles(procRoot: string, pid: number, syscalls: Syscalls): ContainerRoot {
  const open = (path: string): number | undefined => {
    const rootFd = openFolder(`${procRoot}/${pid}/root`);
    if (rootFd === undefined) return undefined;
    try {
      return syscalls.openInRoot(rootFd, path, O_PATH);
    } finally {
      closeSync(rootFd);
    }
  };
  const withPath = <T>(path: string, use: (fd: number) => T): T | undefined => {
    const fd = open(path);
    if (fd === undefined) return undefined;
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  };
  return {
    read: (path, maxBytes) =>
      withPath(path, (fd) => (fstatSync(fd).isFile() ? readUpTo(fd, maxBytes) : undefined)),
    isExecutable: (path) =>
      withPath(path, (fd) => {
        const { mode } = fstatSync(fd);
        return (mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o111) !== 0;
      }) ?? false,
    isFolder: (path) => withPath(path, (fd) => fstatSync(fd).isDirectory()) ?? false,
    list: (path) =>
      withPath(path, (fd) => (fstatSync(fd).isDirectory() ? namesIn(`/proc/self/fd/${fd}`) : [])) ?? [],
    openSpecial: (path, kind) => {
      const fd = open(path);
      if (fd === undefined) return undefined;
      const stat = fstatSync(fd);
      if (kind === "socket" ? stat.isSocket() : stat.isFIFO()) return fd;
      closeSync(fd);
      return undefined;
    },
  };
}

const O_PATH = 0o10000000;

function openFolder(path: string): number | undefined {
  try {
    return openSync(path, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}

const mostNames = 10_000;

function namesIn(path: string): readonly string[] {
  const folder = opendirSync(path);
  try {
    const names: string[] = [];
    while (names.length < mostNames) {
      const entry = folder.readSync();
      if (entry === null) break;
      names.push(entry.name);
    }
    return names;
  } finally {
    folder.closeSync();
  }
}

/**
 * Opened only once it is known what it is: opening a device that a container has planted would already do something.
 * @param pathFd of a regular file, from O_PATH
 */
function readUpTo(pathFd: number, maxBytes: number): Buffer {
  const fd = openSync(`/proc/self/fd/${pathFd}`, constants.O_RDONLY);
  try {
    const buffer = Buffer.alloc(maxBytes);
    let length = 0;
    while (length < maxBytes) {
      const count = readSync(fd, buffer, length, maxBytes - length, null);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
