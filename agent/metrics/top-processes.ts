import type { ProgramTotals, Snapshot } from "../model.ts";

export interface TopProcess {
  readonly row: number;
  readonly program: ProgramTotals | undefined;
}

/** The first `count` processes by CPU in use and the first `count` by memory, each once, in ascending order of PID. */
export function topProcesses(snapshot: Snapshot, count: number): readonly TopProcess[] {
  if (count === 0) return [];
  const { table, cpuCores } = snapshot;
  const rows = Array.from({ length: table.length }, (_, row) => row);
  const most = (figures: Float64Array): readonly number[] =>
    rows.toSorted((a, b) => figureAt(figures, b) - figureAt(figures, a)).slice(0, count);
  const chosen = new Set([...most(cpuCores), ...most(table.residentBytes)]);
  return [...chosen]
    .sort((a, b) => a - b)
    .map((row) => ({ row, program: snapshot.programs[snapshot.programOf[row] ?? -1] }));
}

function figureAt(figures: Float64Array, row: number): number {
  const figure = figures[row] ?? Number.NaN;
  return Number.isNaN(figure) ? -1 : figure;
}
