/**
 * A process at rest is read anew once in so many scans, a power of two: others can change what is not looked at before, such
 * as its memory, by reclaim, and a limit that prlimit(2) sets.
 */
export const turns = 16;
