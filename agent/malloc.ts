import type { Syscalls } from "./syscalls.ts";

// Numbers of malloc.h of the GNU C library (mallopt(3)).
const M_MMAP_THRESHOLD = -3;
const M_ARENA_MAX = -8;

/** As much as the library begins with. */
const thresholdBytes = 128 * 1024;

/**
 * Has the C library give memory back. By itself it raises the size from which a block is mapped alone to that of the
 * largest block freed so far (the kernel's type information is megabytes), takes all below from heaps, and keeps a heap for
 * each thread: what is freed there leaves holes. A sixth of the agent's memory was such.
 * @returns false where it cannot be told so: musl has no mallopt(3)
 */
export function limitMalloc({ mallopt }: Pick<Syscalls, "mallopt">): boolean {
  return mallopt?.(M_MMAP_THRESHOLD, thresholdBytes) === true && mallopt(M_ARENA_MAX, 1);
}
