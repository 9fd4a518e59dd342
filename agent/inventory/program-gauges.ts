import { type KernelUnits, type ProcessTable, processState, processStates, startedAtMs } from "../model.ts";
import type { ChangedColumns } from "./gauge-columns.ts";

/** The figures of a program that are summed anew at each scan; NaN while no member's could be read. */
export interface ProgramGauges {
  processes: number;
  threads: number;
  cpuCores: number;
  residentBytes: number;
  virtualBytes: number;
  swapBytes: number;
  openFiles: number;
  openFilesWorstRatio: number;
  oldestStartSeconds: number;
  /** Members per state, in the order of `processStates`. */
  readonly byState: number[];
}

/** Character code of the kernel's letter → index into `processStates`. */
const stateIndex = Uint8Array.from({ length: 128 }, (_, letter) =>
  processStates.indexOf(processState(letter)),
);

export function createGauges(): ProgramGauges {
  return {
    processes: 0,
    threads: 0,
    cpuCores: 0,
    residentBytes: 0,
    virtualBytes: 0,
    swapBytes: Number.NaN,
    openFiles: Number.NaN,
    openFilesWorstRatio: Number.NaN,
    oldestStartSeconds: Number.NaN,
    byState: processStates.map(() => 0),
  };
}

/**
 * Sums the members' figures, column by column; of columns that have not changed the sums stay.
 * @param cpuCores by row; NaN for a process seen once
 */
export function sumGauges(
  gauges: ProgramGauges,
  rows: readonly number[],
  { table, cpuCores }: { readonly table: ProcessTable; readonly cpuCores: Float64Array },
  changed: ChangedColumns,
  units: KernelUnits,
): void {
  gauges.processes = rows.length;
  gauges.cpuCores = sumReadable(cpuCores, rows) || 0;
  if (changed.has("threads")) gauges.threads = sumAll(table.threads, rows);
  if (changed.has("residentBytes")) gauges.residentBytes = sumAll(table.residentBytes, rows);
  if (changed.has("virtualBytes")) gauges.virtualBytes = sumAll(table.virtualBytes, rows);
  if (changed.has("swapBytes")) gauges.swapBytes = sumReadable(table.swapBytes, rows);
  if (changed.has("openFiles")) gauges.openFiles = sumReadable(table.openFiles, rows);
  if (changed.has("openFiles") || changed.has("openFilesLimit"))
    gauges.openFilesWorstRatio = worstRatio(table, rows);
  if (changed.has("state")) countStates(gauges.byState, table.state, rows);
  if (changed.has("startTicks")) gauges.oldestStartSeconds = oldestStart(table, rows, units);
}

function sumAll(figures: ArrayLike<number>, rows: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < rows.length; at++) sum += figures[rows[at] ?? -1] ?? 0;
  return sum;
}

/** NaN stands for "none readable yet": it gives way to the first figure. */
function sumReadable(figures: ArrayLike<number>, rows: readonly number[]): number {
  let sum = Number.NaN;
  for (let at = 0; at < rows.length; at++) {
    const figure = figures[rows[at] ?? -1] ?? Number.NaN;
    if (!Number.isNaN(figure)) sum = Number.isNaN(sum) ? figure : sum + figure;
  }
  return sum;
}

function worstRatio({ openFiles, openFilesLimit }: ProcessTable, rows: readonly number[]): number {
  let worst = Number.NaN;
  for (const row of rows) {
    const ratio = (openFiles[row] ?? Number.NaN) / (openFilesLimit[row] ?? Number.NaN);
    if (!(ratio <= worst) && !Number.isNaN(ratio)) worst = ratio;
  }
  return worst;
}

function countStates(counts: number[], states: ArrayLike<number>, rows: readonly number[]): void {
  counts.fill(0);
  for (const row of rows) {
    const state = stateIndex[states[row] ?? 0] ?? processStates.length - 1;
    counts[state] = (counts[state] ?? 0) + 1;
  }
}

function oldestStart({ startTicks }: ProcessTable, rows: readonly number[], units: KernelUnits): number {
  let oldest = Number.NaN;
  for (const row of rows) {
    const started = startedAtMs(startTicks[row] ?? 0, units) / 1000;
    if (!(started >= oldest)) oldest = started;
  }
  return oldest;
}
