import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { systemCode } from "../errors.ts";
import type { Syscalls } from "../syscalls.ts";

/**
 * Files inside a container, resolved inside its root: an absolute link in it leads to the container's file, never to
 * the host's. What is read is the container's own word and no more.
 */
export interface ContainerFiles {
  /** The content of a regular file, cut at `maxBytes`; undefined when there is none. A FIFO or device is not read. */
  readonly read: (path: string, maxBytes: number) => Buffer | undefined;
  /** Whether a regular file with an execute bit is there. */
  readonly isExecutable: (path: string) => boolean;
  readonly isFolder: (path: string) => boolean;
}

/**
 * @param pid host PID of a process whose root is meant, as a rule the container's init
 * @returns readers that find nothing once the process is gone, and throw with a system code when its root may not be
 *   opened (needs CAP_SYS_PTRACE)
 */
export function openContainerFiles(procRoot: string, pid: number, syscalls: Syscalls): ContainerFiles {
  const withFile = <T>(path: string, flags: number, use: (fd: number) => T): T | undefined => {
    const rootFd = openFolder(`${procRoot}/${pid}/root`);
    if (rootFd === undefined) return undefined;
    try {
      const fd = syscalls.openInRoot(rootFd, path, flags);
      if (fd === undefined) return undefined;
      try {
        return use(fd);
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(rootFd);
    }
  };
  return {
    read: (path, maxBytes) =>
      // O_NONBLOCK: opening a FIFO that a container planted must not wait for its other end.
      withFile(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY, (fd) =>
        fstatSync(fd).isFile() ? readUpTo(fd, maxBytes) : undefined,
      ),
    isExecutable: (path) =>
      withFile(path, O_PATH, (fd) => {
        const { mode } = fstatSync(fd);
        return (mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o111) !== 0;
      }) ?? false,
    isFolder: (path) => withFile(path, O_PATH, (fd) => fstatSync(fd).isDirectory()) ?? false,
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

function readUpTo(fd: number, maxBytes: number): Buffer {
  const buffer = Buffer.alloc(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const count = readSync(fd, buffer, length, maxBytes - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}
