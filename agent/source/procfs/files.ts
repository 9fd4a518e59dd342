import { closeSync, openSync, readSync } from "node:fs";
import { systemCode } from "../../errors.ts";

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
export function createFileReader(maxBytes = 1 << 20): FileReader {
  let bytes = Buffer.allocUnsafe(Math.min(firstBytes, maxBytes));
  return {
    get bytes() {
      return bytes;
    },
    read: (path) => {
      let fd: number;
      try {
        fd = openSync(path, "r");
      } catch (error) {
        return failureOf(error);
      }
      try {
        let length = readSync(fd, bytes, 0, bytes.length, null);
        // The kernel gives a file of /proc whole while the buffer is large enough: only a full buffer asks for more.
        while (length === bytes.length && length < maxBytes) {
          bytes = Buffer.concat([bytes], Math.min(bytes.length * 2, maxBytes));
          const more = readSync(fd, bytes, length, bytes.length - length, null);
          if (more === 0) break;
          length += more;
        }
        return length;
      } catch (error) {
        return failureOf(error);
      } finally {
        closeSync(fd);
      }
    },
  };
}

/** ENOENT: the file is gone; ESRCH: the process ended after the file was opened (proc(5)). */
export function failureOf(error: unknown): ReadFailure {
  const code = systemCode(error);
  if (code === undefined) throw error;
  if (code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR") return "gone";
  return code === "EACCES" || code === "EPERM" ? "refused" : "unreadable";
}
