import { statSync } from "node:fs";
import { listPids } from "../procfs/procfs-source.ts";
import type { ShownProcesses } from "./task-records.ts";

/** Scans between two looks at how many processes there are. */
const countEvery = 60;
/** Looks at a number that has stayed as it was, after which all are listed all the same. */
const mostCounts = 10;

/**
 * Finds processes that /proc lists and the iterator does not show: a security module can hide some, such as PID 1. To list
 * all costs as much as a scan, so that it is done when the number of links of /proc has changed, as compared with that of the
 * processes shown: the kernel counts each process as a link (proc_root_getattr() of fs/proc/root.c).
 * @param shown what the pass has shown that is being taken in
 * @returns a function of the scan's number, from 0; it gives PIDs that ascend
 * @throws AgentError `unavailable` when /proc cannot be listed
 */
export function createHiddenFinder(
  shown: Pick<ShownProcesses, "count" | "pids">,
  root: string,
): (scan: number) => readonly number[] {
  let hidden: readonly number[] = [];
  let difference = Number.NaN;
  let counts = 0;
  return (scan) => {
    if (scan % countEvery !== 0) return hidden;
    const now = (statSync(root, { throwIfNoEntry: false })?.nlink ?? Number.NaN) - shown.count();
    if (now === difference && ++counts < mostCounts) return hidden;
    difference = now;
    counts = 0;
    const pids = new Set(shown.pids.subarray(0, shown.count()));
    hidden = [...listPids(root)].filter((pid) => !pids.has(pid));
    return hidden;
  };
}
