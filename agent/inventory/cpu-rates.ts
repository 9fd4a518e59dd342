import type { ProcessTable } from "../model.ts";
import type { TableChanges } from "../source/process-source.ts";
import { matchRows, sameRows } from "./life-counters.ts";

/**
 * Shortest time over which a rate is taken. The kernel counts CPU in ticks of 10 ms: over the few milliseconds between
 * a scan of the timer and one that an action asked for, a single tick would read as several CPUs.
 */
const leastSeconds = 0.5;

/** CPU seconds per second of each process. */
export interface CpuRates {
  /**
   * @param changes since the table before; undefined where that is not known
   * @returns by row; NaN until a process has been seen over the shortest time
   */
  advance(table: ProcessTable, monotonicSeconds: number, changes?: TableChanges): Float64Array;
}

export function createCpuRates(): CpuRates {
  /** The scan that rates are taken against, and the last one with its rates. */
  let base: { table: ProcessTable; seconds: number } | undefined;
  let last: { table: ProcessTable; cores: Float64Array } | undefined;
  return {
    advance: (table, seconds, changes) => {
      const span = base === undefined ? 0 : seconds - base.seconds;
      const changed = base !== undefined && base.table === changes?.since ? changes.rows : undefined;
      // Who has not changed since has used nothing.
      const cores = new Float64Array(table.length).fill(changed === undefined ? Number.NaN : 0);
      if (base === undefined || span >= leastSeconds) {
        const earlier = matchRows(base?.table, table);
        const rows: ArrayLike<number> = changed ?? sameRows(table.length);
        for (let at = 0; at < rows.length; at++) {
          const row = rows[at] ?? -1;
          const from = earlier[row] ?? -1;
          if (base !== undefined && from !== -1)
            cores[row] = (cpuOf(table, row) - cpuOf(base.table, from)) / span;
        }
        base = { table, seconds };
      } else {
        const earlier = matchRows(last?.table, table);
        for (let row = 0; row < table.length; row++)
          cores[row] = last?.cores[earlier[row] ?? -1] ?? Number.NaN;
      }
      for (let row = 0; row < cores.length; row++) if ((cores[row] ?? 0) < 0) cores[row] = 0;
      last = { table, cores };
      return cores;
    },
  };
}

function cpuOf(table: ProcessTable, row: number): number {
  return (table.userSeconds[row] ?? 0) + (table.systemSeconds[row] ?? 0);
}
