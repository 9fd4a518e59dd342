import type { Syscalls } from "../../syscalls.ts";
import type { Btf } from "./btf.ts";
import { type LoadedIterator, loadTaskIterator } from "./loader.ts";
import { createSeenTasks, type ShownTasks } from "./seen-tasks.ts";
import { assembleTaskIterator } from "./task-iterator.ts";
import { type ThreadVisit, threadVisitOf } from "./thread-sums.ts";

/** Passes over all tasks, one after the other. */
export interface TaskPasses {
  /**
   * @param scan its number; @param all whether every process is to have its whole record: else those may have a mark that
   *   are as they were when theirs was written last
   * @returns a descriptor from which the pass is read; the caller closes it
   */
  open(scan: number, all: boolean): number;
  /** To be called when the last pass has shown other processes than the one before it. */
  keep(shown: ShownTasks): void;
  close(): void;
}

/**
 * Loads the iterator. Where threads have to be walked, before Linux 6.7, all records are whole: the verifier of 6.1 goes through
 * the walk again and again for each way that leads to it, for seconds, and then refuses. So they are where a kernel does not let
 * the program remember what it has written for another reason.
 * @throws AgentError `unavailable` with the kernel's errno and the end of the verifier's log
 */
export function loadTaskPasses(
  btf: Btf,
  syscalls: Syscalls,
  threads: ThreadVisit = threadVisitOf(btf),
): TaskPasses {
  if (threads === "walk") return loadWhole(btf, syscalls, threads);
  try {
    return loadRemembering(btf, syscalls, threads);
  } catch {
    return loadWhole(btf, syscalls, threads);
  }
}

function loadWhole(btf: Btf, syscalls: Syscalls, threads: ThreadVisit): TaskPasses {
  const iterator = loadTaskIterator(assembleTaskIterator(btf, threads), btf, syscalls);
  return { open: () => iterator.open(), keep: () => {}, close: () => iterator.close() };
}

function loadRemembering(btf: Btf, syscalls: Syscalls, threads: ThreadVisit): TaskPasses {
  const seen = createSeenTasks(syscalls);
  let iterator: LoadedIterator;
  try {
    iterator = loadTaskIterator(assembleTaskIterator(btf, threads, seen.mapFd), btf, syscalls);
  } catch (error) {
    seen.close();
    throw error;
  }
  return {
    open: (scan, all) => {
      seen.begin(scan, all);
      return iterator.open();
    },
    keep: seen.keep,
    close: () => {
      iterator.close();
      seen.close();
    },
  };
}
