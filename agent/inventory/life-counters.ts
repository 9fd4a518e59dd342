import { counterColumns, type ProcessTable, type Usage } from "../model.ts";
import { haveSameLives } from "../source/columns.ts";
import type { TableChanges } from "../source/process-source.ts";
import { findRow } from "./row-by-pid.ts";

/** One array of figures by row for each of `counterColumns`, in their order; longer than the table. */
export type CounterRows = readonly Float64Array[];

/** In the order of `counterColumns`. */
export type CounterFigures = readonly number[];

/** What a scan added to the lives before it. */
export interface Advance {
  /**
   * What each process used since the scan before; one seen for the first time: since its start. 0 where nothing was
   * added or the figure could not be read. Valid until the next call, which writes into the same arrays.
   */
  readonly added: CounterRows;
  /** Rows of processes that nothing was known of before. */
  readonly newRows: readonly number[];
}

/**
 * Remembers the last readable figure of every counter by ref. A figure that cannot be read for a while and comes back
 * is counted once: the remembered one is carried along.
 */
export interface LifeCounters {
  /** @param changes since the table before; undefined where that is not known */
  advance(table: ProcessTable, changes?: TableChanges): Advance;
  /**
   * A process has ended having used this.
   * @returns what that is beyond what was known, and whether the process was known at all. A scan that still shows it
   *   afterwards adds nothing again.
   */
  settle(
    pid: number,
    startTicks: number,
    usage: Usage | null,
  ): { readonly added: CounterFigures; readonly known: boolean };
}

interface Remembered {
  readonly startTicks: number;
  readonly figures: CounterFigures;
  /** Scans that it is still kept for. */
  scans: number;
}

/** Its end can become known after a scan has missed a process, and a scan show a zombie after its end was known. */
const keptScans = 2;

export function createCounters(): LifeCounters {
  // Three sets of arrays, used again and again: at ten thousand processes new ones would be a megabyte a scan.
  let before: Pick<ProcessTable, "pid" | "startTicks"> | undefined;
  let lastBefore: CounterRows = blankRows(0);
  let lastNow: CounterRows = blankRows(0);
  let added: CounterRows = blankRows(0);
  /** Lives that the last scans did not show any more, and those of which only the end is known. */
  const departed = new Map<number, Remembered>();

  const figuresAt = (rows: CounterRows, row: number): CounterFigures =>
    rows.map((column) => column[row] ?? 0);
  const ageDeparted = (): void => {
    for (const [pid, one] of departed) if (--one.scans <= 0) departed.delete(pid);
  };
  const keepDeparted = (earlier: Int32Array): void => {
    ageDeparted();
    if (before === undefined) return;
    const stays = new Uint8Array(before.pid.length);
    for (const row of earlier) if (row !== -1) stays[row] = 1;
    for (let row = 0; row < stays.length; row++) {
      if (stays[row] === 1) continue;
      departed.set(before.pid[row] ?? 0, {
        startTicks: before.startTicks[row] ?? 0,
        figures: figuresAt(lastBefore, row),
        scans: keptScans,
      });
    }
  };
  /** A zombie whose end was counted already goes on from there. */
  const resume = (table: ProcessTable, row: number): boolean => {
    const one = departed.get(table.pid[row] ?? 0);
    if (one === undefined || one.startTicks !== table.startTicks[row]) return false;
    for (const [index, known] of one.figures.entries()) {
      const [to, delta] = [lastNow[index], added[index]];
      if (to === undefined || delta === undefined) continue;
      delta[row] = Math.max(0, (to[row] ?? 0) - known);
      to[row] = Math.max(known, to[row] ?? 0);
    }
    return true;
  };
  /** The same lives in the same rows: what is remembered of most of them stays where it is. */
  const advanceInPlace = (table: ProcessTable, { rows }: TableChanges): Advance => {
    for (const [index, name] of counterColumns.entries()) {
      const [known, delta, column] = [lastBefore[index], added[index], table[name]];
      if (known === undefined || delta === undefined) continue;
      delta.fill(0);
      // Without an iterator, here as where else thousands of rows are gone through each second: it makes an object for each.
      for (let at = 0; at < rows.length; at++) {
        const row = rows[at] ?? 0;
        advanceRow(column, row, row, known, known, delta);
      }
    }
    ageDeparted();
    before = { pid: table.pid, startTicks: table.startTicks };
    return { added, newRows: [] };
  };
  return {
    advance: (table, changes) => {
      if (changes !== undefined) return advanceInPlace(table, changes);
      const earlier = matchRows(before, table);
      lastNow = roomFor(lastNow, table.length);
      added = roomFor(added, table.length);
      for (const [index, column] of counterColumns.entries()) {
        const [from, to, delta] = [lastBefore[index], lastNow[index], added[index]];
        if (from !== undefined && to !== undefined && delta !== undefined) {
          advanceColumn(table[column], earlier, from, to, delta);
        }
      }
      const newRows: number[] = [];
      for (let row = 0; row < earlier.length; row++) {
        if (earlier[row] === -1 && !(departed.size > 0 && resume(table, row))) newRows.push(row);
      }
      keepDeparted(earlier);
      before = { pid: table.pid, startTicks: table.startTicks };
      [lastBefore, lastNow] = [lastNow, lastBefore];
      return { added, newRows };
    },
    settle: (pid, startTicks, usage) => {
      const row = before === undefined ? -1 : findRow(before, pid, startTicks);
      const gone = departed.get(pid);
      const known = row !== -1 || gone?.startTicks === startTicks;
      // Without functions over arrays: in a storm of short-lived processes this is called thousands of times a second.
      const final: number[] = new Array(counterColumns.length);
      const added: number[] = new Array(counterColumns.length);
      for (let index = 0; index < counterColumns.length; index++) {
        const had = row !== -1 ? lastBefore[index]?.[row] : known ? gone?.figures[index] : 0;
        const column = counterColumns[index];
        const told = (column && usage?.[column]) ?? 0;
        const figure = Math.max(had ?? 0, told);
        final[index] = figure;
        added[index] = figure - (had ?? 0);
        const remembered = lastBefore[index];
        if (row !== -1 && remembered !== undefined) remembered[row] = figure;
      }
      if (row === -1) departed.set(pid, { startTicks, figures: final, scans: keptScans });
      return { added, known };
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
  for (let row = 0; row < figures.length; row++)
    advanceRow(figures, row, earlier[row] ?? -1, from, to, delta);
}

/** @param at the row of the life in `from`, or -1 */
function advanceRow(
  figures: Float64Array,
  row: number,
  at: number,
  from: Float64Array,
  to: Float64Array,
  delta: Float64Array,
): void {
  const previous = at === -1 ? 0 : (from[at] ?? 0);
  const now = figures[row] ?? Number.NaN;
  // The kernel's figures can step back by a tick when it splits user and system time anew.
  const current = Number.isNaN(now) ? previous : Math.max(now, previous);
  to[row] = current;
  delta[row] = current - previous;
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
  if (before !== undefined && haveSameLives(before, table)) return sameRows(table.length);
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

let same = new Int32Array(0);

/** Each row by itself; not to be written. */
export function sameRows(length: number): Int32Array {
  if (same.length !== length) same = Int32Array.from({ length }, (_, row) => row);
  return same;
}
