import type { ProcessTable } from "../model.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** A table while it is filled: rows are written at the end, then the columns are cut to length. */
export type ColumnWriter = Writable<ProcessTable>;

/** @param capacity most rows that will be written */
export function createColumns(capacity: number): ColumnWriter {
  const figures = (): Float64Array => new Float64Array(capacity);
  return {
    length: 0,
    pid: new Int32Array(capacity),
    startTicks: figures(),
    parentPid: new Int32Array(capacity),
    containerPid: new Int32Array(capacity),
    state: new Uint8Array(capacity),
    flags: new Uint32Array(capacity),
    userId: figures(),
    threads: new Int32Array(capacity),
    userSeconds: figures(),
    systemSeconds: figures(),
    residentBytes: figures(),
    virtualBytes: figures(),
    swapBytes: figures(),
    minorFaults: figures(),
    majorFaults: figures(),
    voluntarySwitches: figures(),
    involuntarySwitches: figures(),
    readBytes: figures(),
    writtenBytes: figures(),
    openFiles: figures(),
    openFilesLimit: figures(),
    name: [],
    command: [],
    cgroup: [],
  };
}

/** The columns cut to the rows that were written; numbers are shared with the writer, which must not be used again. */
export function finishColumns(columns: ColumnWriter): ProcessTable {
  const cut = (column: unknown): unknown =>
    column instanceof Int32Array ||
    column instanceof Uint32Array ||
    column instanceof Uint8Array ||
    column instanceof Float64Array
      ? column.subarray(0, columns.length)
      : column;
  const entries = Object.entries(columns).map(([name, column]) => [name, cut(column)]);
  return Object.freeze(Object.fromEntries(entries)) as ProcessTable;
}
