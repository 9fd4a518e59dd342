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
export type CounterColumn = (typeof counterColumns)[number];

/** What each process of a scan used since the scan before; a process seen for the first time: since its start. */
export interface LifeCounters {
  /** 1 for a process that the scan before did not have. */
  readonly isNew: Uint8Array;
  /** 0 where nothing was added or the figure could not be read. */
  readonly delta: (row: number, column: CounterColumn) => number;
}

interface Remembered {
  readonly pid: Int32Array;
  readonly startTicks: Float64Array;
  readonly last: Readonly<Record<CounterColumn, Float64Array>>;
}

/**
 * Remembers the last readable figure of every counter by ref. A figure that cannot be read for a while and comes back
 * is counted once: the remembered one is carried along.
 */
export function createCounters(): { advance(table: ProcessTable): LifeCounters } {
  let before: Remembered | undefined;
  return {
    advance: (table) => {
      const isNew = new Uint8Array(table.length);
      const earlier = matchRows(before, table);
      const last = blankColumns(table.length);
      const deltas = blankColumns(table.length);
      for (const column of counterColumns) {
        const figures = table[column];
        for (let row = 0; row < table.length; row++) {
          const from = earlier[row] ?? -1;
          const previous = from === -1 ? 0 : (before?.last[column][from] ?? 0);
          const now = figures[row] ?? Number.NaN;
          // The kernel's figures can step back by a tick when it splits user and system time anew.
          const current = Number.isNaN(now) ? previous : Math.max(now, previous);
          last[column][row] = current;
          deltas[column][row] = current - previous;
        }
      }
      for (let row = 0; row < table.length; row++) isNew[row] = earlier[row] === -1 ? 1 : 0;
      before = { pid: table.pid, startTicks: table.startTicks, last };
      return { isNew, delta: (row, column) => deltas[column][row] ?? 0 };
    },
  };
}

function blankColumns(length: number): Record<CounterColumn, Float64Array> {
  const columns: Partial<Record<CounterColumn, Float64Array>> = {};
  for (const column of counterColumns) columns[column] = new Float64Array(length);
  return columns as Record<CounterColumn, Float64Array>;
}

/** Row → the row of the same life in the scan before, or -1. Both tables ascend by PID, so one walk pairs them. */
function matchRows(before: Remembered | undefined, table: ProcessTable): Int32Array {
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
