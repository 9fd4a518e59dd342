import type { AioCalls } from "../../aio-calls.ts";
import type { FileCalls } from "../../file-calls.ts";
import type { Syscalls } from "../../syscalls.ts";
import { failureOfErrno } from "./files.ts";
import {
  chunkBytes,
  createGuardedReader,
  type GuardedReader,
  type Hand,
  mostHung,
  readLimitMs,
} from "./guarded-reader.ts";
import { createThreadReader } from "./thread-reader.ts";

/** The cheapest that can be had for command lines. */
export function createCommandReader(syscalls?: Pick<Syscalls, "aio" | "files">): GuardedReader {
  return syscalls?.aio === undefined ? createThreadReader() : createAioReader(syscalls.files, syscalls.aio);
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
  return createGuardedReader(() => createHand(files, aio, limits.readMs), limits);
}

function createHand(files: Pick<FileCalls, "open" | "close">, aio: AioCalls, limitMs: number): Hand {
  const slot = aio.createSlot(chunkBytes);
  /** Of the file in which it hangs. */
  let held = -1;
  return {
    read: (path, offset, room) => {
      const fd = files.open(path);
      if (fd < 0) return failureOfErrno(fd);
      // Refused: no thread can be had just now.
      const isBegun = slot.begin(fd, offset, room) === 0;
      const length = isBegun ? slot.wait(limitMs) : 0;
      if (length === undefined) {
        held = fd;
        return "late";
      }
      files.close(fd);
      if (!isBegun) return "busy";
      return length < 0 ? failureOfErrno(length) : Buffer.from(slot.bytes.subarray(0, length));
    },
    isDone: () => {
      if (slot.wait(0) === undefined) return false;
      files.close(held);
      return true;
    },
    // One that hangs keeps what it needs.
    end: () => {},
  };
}
