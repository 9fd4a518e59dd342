import type { ReadFailure } from "./files.ts";

/**
 * Reads files of which a read can hang in the kernel, and waits for each only so long: /proc/PID/cmdline and environ
 * are read from the process's memory under its lock (mmap_lock), and a thread that hangs in mmap(2), on a file system
 * of its own container's, can hold that for ever while the process looks asleep.
 */
export interface GuardedReader {
  /**
   * Copies are given, cut at `maxBytes`. `late`: it hangs, and its thread is left with it, which is told at once
   * when it is asked for again; `busy`: so many threads hang that it was not tried.
   */
  read(path: string, maxBytes: number): Guarded;
  /** Whether a thread still hangs in it. */
  isHanging(path: string): boolean;
  close(): void;
}

export type Guarded = Buffer | ReadFailure | "late" | "busy";

/** How long a file is waited for. */
export const readLimitMs = 500;
/** So many threads may hang; then no more files are read until one of them is let go. */
export const mostHung = 4;
/** What is read at once; the kernel gives as much of a file as there is room for. */
export const chunkBytes = 64 * 1024;

/** Reads on until a chunk is not full or there is enough. */
export function readChunks(
  maxBytes: number,
  read: (offset: number, room: number) => Buffer | ReadFailure | "late" | "busy",
): Guarded {
  const parts: Buffer[] = [];
  for (let length = 0; length < maxBytes; ) {
    const room = Math.min(chunkBytes, maxBytes - length);
    const part = read(length, room);
    if (typeof part === "string") return part;
    parts.push(part);
    length += part.length;
    if (part.length < room) break;
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}
