import type { Snapshot } from "./model.ts";

/**
 * The rows above a process, its parent's first, up to PID 1 or to a parent that the scan has not seen. Each comes once: a
 * scan that was torn by a reused PID can have a loop of parents.
 */
export function* ancestorRows(
  row: number,
  { table, rowByPid }: Pick<Snapshot, "table" | "rowByPid">,
): Generator<number, void> {
  const seen = new Set([row]);
  for (let at = row; ; ) {
    const above = rowByPid.get(table.parentPid[at] ?? 0);
    if (above === undefined || seen.has(above)) return;
    seen.add(above);
    yield above;
    at = above;
  }
}

/** Whether a process is above another: its parent, or one of that one's. */
export function isAbove(pid: number, below: number, snapshot: Pick<Snapshot, "table" | "rowByPid">): boolean {
  const row = snapshot.rowByPid.get(below);
  if (row === undefined) return false;
  for (const above of ancestorRows(row, snapshot)) if (snapshot.table.pid[above] === pid) return true;
  return false;
}
