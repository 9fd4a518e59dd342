import { readdirSync, statfsSync, statSync } from "node:fs";
import { type FileCalls, nodeFileCalls } from "../../file-calls.ts";
import type { ProblemCollector } from "../problems.ts";
import { failureOf, failureOfErrno, type ReadFailure } from "./files.ts";

const PROC_SUPER_MAGIC = 0x9fa0;

/**
 * Counts a process's open files. Since Linux 6.2 the size of /proc/PID/fd is their number; before, it is 0 and the
 * folder is listed.
 * @returns a function that gives NaN for what is gone or refused
 */
export function createOpenFilesCounter(
  root: string,
  calls: FileCalls = nodeFileCalls,
): (pid: number, problems: ProblemCollector) => number {
  const size = statSync("/proc/self/fd", { throwIfNoEntry: false })?.size ?? 0;
  const sizeCounts = size > 0 && statfsSync(root).type === PROC_SUPER_MAGIC;
  return (pid, problems) => {
    const count = sizeCounts ? sizeOf(`${root}/${pid}/fd`, calls) : listed(`${root}/${pid}/fd`);
    if (typeof count === "number") return count;
    if (count !== "gone") problems.add(count, "/proc/PID/fd", "needs the process's user or CAP_SYS_PTRACE");
    return Number.NaN;
  };
}

function sizeOf(folder: string, calls: FileCalls): number | ReadFailure {
  const size = calls.size(folder);
  return size < 0 ? failureOfErrno(size) : size;
}

function listed(folder: string): number | ReadFailure {
  try {
    return readdirSync(folder).length;
  } catch (error) {
    return failureOf(error);
  }
}
