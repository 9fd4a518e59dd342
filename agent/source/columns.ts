import type { ProcessTable } from "../model.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** A table while it is filled: rows are written at the end, each with every column, then the columns are cut to length. */
export type ColumnWriter = Writable<ProcessTable>;

/** The tables of one source, scan after scan. */
export interface ColumnStore {
  /**
   * Begins a table, and gives up the one before if it was not finished.
   * @param capacity most rows that will be written
   */
  begin(capacity: number): ColumnWriter;
  /** The table that was begun; its writer must not be used again. */
  finish(): ProcessTable;
}

const figureColumns = {
  pid: Int32Array,
  startTicks: Float64Array,
  parentPid: Int32Array,
  containerPid: Int32Array,
  state: Uint8Array,
  flags: Uint32Array,
  userId: Float64Array,
  threads: Int32Array,
  userSeconds: Float64Array,
  systemSeconds: Float64Array,
  residentBytes: Float64Array,
  virtualBytes: Float64Array,
  swapBytes: Float64Array,
  minorFaults: Float64Array,
  majorFaults: Float64Array,
  voluntarySwitches: Float64Array,
  involuntarySwitches: Float64Array,
  readBytes: Float64Array,
  writtenBytes: Float64Array,
  openFiles: Float64Array,
  openFilesLimit: Float64Array,
} as const;
const textColumns = ["name", "command", "cgroup"] as const;

type FigureColumn = keyof typeof figureColumns;
type Figures = ProcessTable[FigureColumn];

/**
 * What is the same in most columns of two scans is the same array in both tables, and what was filled in vain is filled
 * again the next time. A table lives for a second and so grows old: new arrays for each, a megabyte for five thousand
 * processes, had V8 collect its whole heap every few seconds.
 */
export function createColumnStore(): ColumnStore {
  let last: ProcessTable | undefined;
  let columns = createColumns(0);
  let capacity = 0;
  return {
    begin: (wanted) => {
      // What a crowd of processes once needed is not held for good.
      if (capacity < wanted || capacity > 2 * wanted + 1_000) {
        capacity = wanted;
        columns = createColumns(capacity);
      }
      columns.length = 0;
      return columns;
    },
    finish: () => {
      const { length } = columns;
      const before = last?.length === length ? last : undefined;
      const finished: Record<string, unknown> = { length };
      for (const name of Object.keys(figureColumns) as FigureColumn[]) {
        const now = columns[name].subarray(0, length);
        const isKnown = before !== undefined && areSameBytes(before[name], now);
        finished[name] = isKnown ? before[name] : now;
        if (!isKnown) renew(columns, name, capacity);
      }
      for (const name of textColumns) {
        const now: readonly unknown[] = columns[name];
        columns[name].length = length;
        const isKnown = before?.[name].every((one, row) => one === now[row]) === true;
        finished[name] = isKnown ? before?.[name] : now;
        if (!isKnown) columns[name] = [];
      }
      last = Object.freeze(finished) as unknown as ProcessTable;
      return last;
    },
  };
}

function createColumns(capacity: number): ColumnWriter {
  const columns: Record<string, unknown> = { length: 0 };
  for (const [name, Column] of Object.entries(figureColumns)) columns[name] = new Column(capacity);
  for (const name of textColumns) columns[name] = [];
  return columns as unknown as ColumnWriter;
}

function renew<K extends FigureColumn>(columns: ColumnWriter, name: K, capacity: number): void {
  columns[name] = new figureColumns[name](capacity) as ColumnWriter[K];
}

/** Bit by bit, so that NaN is the same as NaN. */
function areSameBytes(one: Figures, other: Figures): boolean {
  return Buffer.compare(bytesOf(one), bytesOf(other)) === 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: Figures): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
