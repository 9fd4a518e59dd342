// Numbers of malloc.h of the GNU C library (mallopt(3)).
const M_MMAP_THRESHOLD = -3;
const M_ARENA_MAX = -8;

/** As much as the library begins with. */
const thresholdBytes = 128 * 1024;

/**
 * Has the C library give memory back. By itself it raises the size from which a block is mapped alone to that of the
 * largest block freed so far (the kernel's type information is megabytes), takes all below from heaps, and keeps a heap for
 * each thread: what is freed there leaves holes. A fifth of the agent's memory was such.
 * @returns false where that cannot be had: another C library, or koffi cannot load
 */
export async function limitMalloc(): Promise<boolean> {
  try {
    const { default: koffi } = await import("koffi");
    const mallopt = koffi.load(null).func("mallopt", "int", ["int", "int"]);
    return mallopt(M_MMAP_THRESHOLD, thresholdBytes) === 1 && mallopt(M_ARENA_MAX, 1) === 1;
  } catch {
    // Any failure means the same: the agent works as well without, and is larger.
    return false;
  }
}
