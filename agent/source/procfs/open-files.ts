import { readdirSync, statfsSync, statSync } from "node:fs";
import type { ProblemCollector } from "../problems.ts";
import { failureOf } from "./files.ts";

const PROC_SUPER_MAGIC = 0x9fa0;

/**
 * Counts a process's open files. Since Linux 6.2 the size of /proc/PID/fd is their number; before, it is 0 and the
 * folder is listed.
 * @returns a function that gives NaN for what is gone or refused
 */
export function createOpenFilesCounter(root: string): (pid: number, problems: ProblemCollector) => number {
  const size = statSync("/proc/self/fd", { throwIfNoEntry: false })?.size ?? 0;
  const sizeCounts = size > 0 && statfsSync(root).type === PROC_SUPER_MAGIC;
  return (pid, problems) => {
    const path = `${root}/${pid}/fd`;
    try {
      if (sizeCounts) return statSync(path, { throwIfNoEntry: false })?.size ?? Number.NaN;
      return readdirSync(path).length;
    } catch (error) {
      const failure = failureOf(error);
      if (failure !== "gone")
        problems.add(failure, "/proc/PID/fd", "needs the process's user or CAP_SYS_PTRACE");
      return Number.NaN;
    }
  };
}
