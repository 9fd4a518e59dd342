import type { ProcessTable } from "../model.ts";

/** The columns that only grow during the life of a process. */
export const counterColumns = [
  "userSeconds",
  "systemSeconds",
  "readBytes",
  "writtenBytes",
  "voluntarySwitches",
  "involuntarySwitches",
  "minorFaults",
  "majorFaults",
] as const satisfies readonly (keyof ProcessTable)[];

/** One array of figures by row for each of `counterColumns`, in their order; longer than the table. */
export type CounterRows = readonly Float64Array[];

/**
 * Remembers the last readable figure of every counter by ref. A figure that cannot be read for a while and comes back
 * is counted once: the remembered one is carried along.
 */
export interface LifeCounters {
  /**
   * What each process used since the scan before; one seen for the first time: since its start. 0 where nothing was
   * added or the figure could not be read. Valid until the next call, which writes into the same arrays.
   */
  advance(table: ProcessTable): CounterRows;
}

export function createCounters(): LifeCounters {
  // Three sets of arrays, used again and again: at ten thousand processes new ones would be a megabyte a scan.
  let before: Pick<ProcessTable, "pid" | "startTicks"> | undefined;
  let lastBefore: CounterRows = blankRows(0);
  let lastNow: CounterRows = blankRows(0);
  let added: CounterRows = blankRows(0);
  return {
    advance: (table) => {
      const earlier = matchRows(before, table);
      lastNow = roomFor(lastNow, table.length);
      added = roomFor(added, table.length);
      for (const [index, column] of counterColumns.entries()) {
        const [from, to, delta] = [lastBefore[index], lastNow[index], added[index]];
        if (from !== undefined && to !== undefined && delta !== undefined) {
          advanceColumn(table[column], earlier, from, to, delta);
        }
      }
      before = { pid: table.pid, startTicks: table.startTicks };
      [lastBefore, lastNow] = [lastNow, lastBefore];
      return added;
    },
  };
}

function advanceColumn(
  figures: Float64Array,
  earlier: Int32Array,
  from: Float64Array,
  to: Float64Array,
  delta: Float64Array,
): void {
  for (let row = 0; row < figures.length; row++) {
    const at = earlier[row] ?? -1;
    const previous = at === -1 ? 0 : (from[at] ?? 0);
    const now = figures[row] ?? Number.NaN;
    // The kernel's figures can step back by a tick when it splits user and system time anew.
    const current = Number.isNaN(now) ? previous : Math.max(now, previous);
    to[row] = current;
    delta[row] = current - previous;
  }
}

function blankRows(length: number): CounterRows {
  return counterColumns.map(() => new Float64Array(length));
}

function roomFor(rows: CounterRows, length: number): CounterRows {
  const room = rows[0]?.length ?? 0;
  return room >= length ? rows : blankRows(Math.ceil(length * 1.25));
}

/** Row → the row of the same life in another table, or -1. Both ascend by PID, so one walk pairs them. */
export function matchRows(
  before: Pick<ProcessTable, "pid" | "startTicks"> | undefined,
  table: ProcessTable,
): Int32Array {
  const earlier = new Int32Array(table.length).fill(-1);
  if (before === undefined) return earlier;
  let at = 0;
  for (let row = 0; row < table.length; row++) {
    const pid = table.pid[row] ?? 0;
    while (at < before.pid.length && (before.pid[at] ?? 0) < pid) at++;
    if (before.pid[at] === pid && before.startTicks[at] === table.startTicks[row]) earlier[row] = at;
  }
  return earlier;
}
