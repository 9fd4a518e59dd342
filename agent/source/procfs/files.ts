import { nameOfErrno } from "../../errno.ts";
import { systemCode } from "../../errors.ts";
import { type FileCalls, nodeFileCalls } from "../../file-calls.ts";

/** Why there is no content. `gone`: no such file or process, which is no problem. */
export type ReadFailure = "gone" | "refused" | "unreadable";

/** Reads whole small files into one buffer that is used again and again. */
export interface FileReader {
  /** What the last successful `read` left; valid up to its length and until the next read. */
  readonly bytes: Buffer;
  /** @returns how many bytes were read, or why none */
  read(path: string): number | ReadFailure;
}

const firstBytes = 64 * 1024;

/** @param maxBytes content beyond this is left out */
export function createFileReader(maxBytes = 1 << 20, calls: FileCalls = nodeFileCalls): FileReader {
  let bytes = Buffer.allocUnsafe(Math.min(firstBytes, maxBytes));
  const readAll = (fd: number): number => {
    let length = calls.read(fd, bytes, 0);
    // The kernel gives a file of /proc whole while the buffer is large enough: only a full buffer asks for more.
    while (length === bytes.length && length < maxBytes) {
      bytes = Buffer.concat([bytes], Math.min(bytes.length * 2, maxBytes));
      const more = calls.read(fd, bytes, length);
      if (more <= 0) return more === 0 ? length : more;
      length += more;
    }
    return length;
  };
  return {
    get bytes() {
      return bytes;
    },
    read: (path) => {
      const fd = calls.open(path);
      if (fd < 0) return failureOfErrno(fd);
      try {
        const length = readAll(fd);
        return length < 0 ? failureOfErrno(length) : length;
      } finally {
        calls.close(fd);
      }
    },
  };
}

/** @param error a negative number of errno(3) */
export function failureOfErrno(error: number): ReadFailure {
  return failureOf({ code: nameOfErrno(-error) });
}

/** ENOENT: the file is gone; ESRCH: the process ended after the file was opened (proc(5)). */
export function failureOf(error: unknown): ReadFailure {
  const code = systemCode(error);
  if (code === undefined) throw error;
  if (code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR") return "gone";
  return code === "EACCES" || code === "EPERM" ? "refused" : "unreadable";
}
