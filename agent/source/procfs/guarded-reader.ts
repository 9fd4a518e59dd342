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

/** Someone who reads, and may hang in it. */
export interface Hand {
  /** A copy of at most `room` bytes from there, at most `chunkBytes`; `late` when it hangs. */
  read(path: string, offset: number, room: number): Guarded;
  /** Of one that was late: whether it has been let go. */
  isDone(): boolean;
  end(): void;
}

export interface HandLimits {
  /** So many may hang; then no more files are read until one of them is let go. */
  readonly mostHung: number;
  /** One that has nothing to do is ended after so long; undefined: it is kept. */
  readonly idleMs?: number;
}

/** How long a file is waited for. */
export const readLimitMs = 500;
export const mostHung = 4;
/** What is read at once; the kernel gives as much of a file as there is room for. */
export const chunkBytes = 64 * 1024;

/** One hand reads, and another one takes over where it hangs. */
export function createGuardedReader(start: () => Hand, limits: HandLimits): GuardedReader {
  let idle: Hand | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  /** With the path in which each hangs. */
  const hung = new Map<Hand, string>();
  const endIdle = (): void => {
    clearTimeout(idleTimer);
    idle?.end();
    idle = undefined;
  };
  const reclaim = (): void => {
    for (const hand of hung.keys()) {
      if (!hand.isDone()) continue;
      hung.delete(hand);
      if (idle === undefined) idle = hand;
      else hand.end();
    }
  };
  const isHanging = (path: string): boolean => {
    reclaim();
    for (const held of hung.values()) if (held === path) return true;
    return false;
  };
  return {
    read: (path, maxBytes) => {
      if (isHanging(path)) return "late";
      if (idle === undefined && hung.size >= limits.mostHung) return "busy";
      const hand = idle ?? start();
      idle = hand;
      const { idleMs } = limits;
      if (idleMs !== undefined) {
        clearTimeout(idleTimer);
        idleTimer = setTimeout(endIdle, idleMs).unref();
      }
      const content = readChunks(hand, path, maxBytes);
      if (content === "late") {
        idle = undefined;
        hung.set(hand, path);
      }
      return content;
    },
    isHanging,
    close: () => {
      for (const hand of hung.keys()) hand.end();
      hung.clear();
      endIdle();
    },
  };
}

/** Reads on until a chunk is not full or there is enough. */
function readChunks(hand: Hand, path: string, maxBytes: number): Guarded {
  const parts: Buffer[] = [];
  for (let length = 0; length < maxBytes; ) {
    const room = Math.min(chunkBytes, maxBytes - length);
    const part = hand.read(path, length, room);
    if (typeof part === "string") return part;
    parts.push(part);
    length += part.length;
    if (part.length < room) break;
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}
