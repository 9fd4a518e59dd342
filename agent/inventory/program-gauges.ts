import { type KernelUnits, type ProcessTable, processState, processStates, startedAtMs } from "../model.ts";

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
  clear(): void;
  /** @param cpuCores of the row; NaN for a process seen once */
  add(table: ProcessTable, row: number, cpuCores: number): void;
}

/** Character code of the kernel's letter → index into `processStates`. */
const stateIndex = Uint8Array.from({ length: 128 }, (_, letter) =>
  processStates.indexOf(processState(letter)),
);

export function createGauges(units: KernelUnits): ProgramGauges {
  const gauges: ProgramGauges = {
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
    clear: () => {
      gauges.processes = 0;
      gauges.threads = 0;
      gauges.cpuCores = 0;
      gauges.residentBytes = 0;
      gauges.virtualBytes = 0;
      gauges.swapBytes = Number.NaN;
      gauges.openFiles = Number.NaN;
      gauges.openFilesWorstRatio = Number.NaN;
      gauges.oldestStartSeconds = Number.NaN;
      gauges.byState.fill(0);
    },
    add: (table, row, cpuCores) => {
      gauges.processes++;
      gauges.threads += table.threads[row] ?? 0;
      gauges.residentBytes += table.residentBytes[row] ?? 0;
      gauges.virtualBytes += table.virtualBytes[row] ?? 0;
      gauges.swapBytes = plus(gauges.swapBytes, table.swapBytes[row] ?? Number.NaN);
      gauges.openFiles = plus(gauges.openFiles, table.openFiles[row] ?? Number.NaN);
      if (!Number.isNaN(cpuCores)) gauges.cpuCores += cpuCores;
      const ratio = (table.openFiles[row] ?? Number.NaN) / (table.openFilesLimit[row] ?? Number.NaN);
      if (!(ratio <= gauges.openFilesWorstRatio) && !Number.isNaN(ratio)) gauges.openFilesWorstRatio = ratio;
      const state = stateIndex[table.state[row] ?? 0] ?? processStates.length - 1;
      gauges.byState[state] = (gauges.byState[state] ?? 0) + 1;
      const started = startedAtMs(table.startTicks[row] ?? 0, units) / 1000;
      if (!(started >= gauges.oldestStartSeconds)) gauges.oldestStartSeconds = started;
    },
  };
  return gauges;
}

/** NaN stands for "none readable yet": it gives way to the first figure. */
function plus(sum: number, figure: number): number {
  if (Number.isNaN(figure)) return sum;
  return Number.isNaN(sum) ? figure : sum + figure;
}
