import type { AioCalls, AioSlot } from "../../aio-calls.ts";
import type { FileCalls } from "../../file-calls.ts";
import type { Syscalls } from "../../syscalls.ts";
import { failureOfErrno } from "./files.ts";
import {
  chunkBytes,
  type Guarded,
  type GuardedReader,
  mostHung,
  readChunks,
  readLimitMs,
} from "./guarded-reader.ts";
import { createThreadReader } from "./thread-reader.ts";

/** The cheapest that can be had for command lines. */
export function createCommandReader(syscalls?: Pick<Syscalls, "aio" | "files">): GuardedReader {
  return syscalls?.aio === undefined ? createThreadReader() : createAioReader(syscalls.files, syscalls.aio);
}

/** A read that hangs. */
interface Hung {
  readonly path: string;
  readonly fd: number;
}

/**
 * Reads by the C library's threads, which cost next to nothing. Files are opened by the caller's own: only for those of
 * which that cannot hang, as /proc/PID/cmdline; opening environ waits for a lock of execve(2)
 * (`exec_update_lock`, mm_access() of the kernel).
 */
export function createAioReader(
  files: Pick<FileCalls, "open" | "close">,
  aio: AioCalls,
  limits = { readMs: readLimitMs, mostHung },
): GuardedReader {
  let idle: AioSlot | undefined;
  const hung = new Map<AioSlot, Hung>();
  const reclaim = (): void => {
    for (const [slot, { fd }] of hung) {
      if (slot.wait(0) === undefined) continue;
      files.close(fd);
      hung.delete(slot);
      idle = slot;
    }
  };
  const isHanging = (path: string): boolean => {
    reclaim();
    for (const one of hung.values()) if (one.path === path) return true;
    return false;
  };
  const readChunk = (slot: AioSlot, file: Hung, offset: number, room: number): Guarded => {
    // Refused: no thread can be had just now.
    if (slot.begin(file.fd, offset, room) < 0) return "busy";
    const length = slot.wait(limits.readMs);
    if (length === undefined) {
      hung.set(slot, file);
      idle = undefined;
      return "late";
    }
    return length < 0 ? failureOfErrno(length) : Buffer.from(slot.bytes.subarray(0, length));
  };
  return {
    read: (path, maxBytes) => {
      if (isHanging(path)) return "late";
      if (idle === undefined && hung.size >= limits.mostHung) return "busy";
      const fd = files.open(path);
      if (fd < 0) return failureOfErrno(fd);
      const slot = idle ?? aio.createSlot(chunkBytes);
      idle = slot;
      const content = readChunks(maxBytes, (offset, room) => readChunk(slot, { path, fd }, offset, room));
      if (content !== "late") files.close(fd);
      return content;
    },
    isHanging,
    // Those that hang keep what they need.
    close: () => {},
  };
}
