import type { ProcessTable } from "../model.ts";

const names = [
  "threads",
  "residentBytes",
  "virtualBytes",
  "swapBytes",
  "openFiles",
  "openFilesLimit",
  "state",
  "startTicks",
] as const satisfies readonly (keyof ProcessTable)[];

/** The columns that gauges are sums of. */
export type GaugeColumns = Pick<ProcessTable, (typeof names)[number]>;

/** Columns of which some figures are others than in the table before. */
export type ChangedColumns = ReadonlySet<keyof GaugeColumns>;

/** @param before what is the same in both is the same array; undefined: all have changed */
export function changedColumns(before: GaugeColumns | undefined, table: GaugeColumns): ChangedColumns {
  return new Set(names.filter((name) => before?.[name] !== table[name]));
}

/** Of a table no more is held on to. */
export function gaugeColumnsOf(table: ProcessTable): GaugeColumns {
  const { threads, residentBytes, virtualBytes, swapBytes, openFiles, openFilesLimit, state, startTicks } =
    table;
  return { threads, residentBytes, virtualBytes, swapBytes, openFiles, openFilesLimit, state, startTicks };
}
