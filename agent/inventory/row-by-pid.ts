import type { ProcessTable, Snapshot } from "../model.ts";

/**
 * PID → row, by halving, since the rows ascend by PID: a map of ten thousand would be made anew for each scan, and most of
 * it is never asked.
 */
export function createRowByPid({ pid: pids }: Pick<ProcessTable, "pid">): Snapshot["rowByPid"] {
  return {
    get: (pid) => {
      const row = rowOfPid(pids, pid);
      return row === -1 ? undefined : row;
    },
    has: (pid) => rowOfPid(pids, pid) !== -1,
  };
}

/** The row of a life, or -1. */
export function findRow(
  { pid: pids, startTicks: starts }: Pick<ProcessTable, "pid" | "startTicks">,
  pid: number,
  startTicks: number,
): number {
  const row = rowOfPid(pids, pid);
  return row !== -1 && starts[row] === startTicks ? row : -1;
}

function rowOfPid(pids: Int32Array, pid: number): number {
  let [low, high] = [0, pids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((pids[middle] ?? 0) < pid) low = middle + 1;
    else high = middle;
  }
  return pids[low] === pid ? low : -1;
}
