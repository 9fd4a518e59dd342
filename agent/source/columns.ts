import type { ProcessTable } from "../model.ts";
import { haveSameElements } from "./same-elements.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/**
 * A table while it is filled: rows are written at the end, each with every column, then the columns are cut to length. At
 * first each place holds what the table before has there: a row that is as it was need not be written.
 */
export type ColumnWriter = Writable<ProcessTable>;

/** The tables of one source, scan after scan. */
export interface ColumnStore {
  /**
   * Begins a table, and gives up the one before if it was not finished.
   * @param capacity most rows that will be written
   */
  begin(capacity: number): ColumnWriter;
  /**
   * The table that was begun; its writer must not be used again.
   * @param written rows that may differ from those of the table before in the same place; all when left out
   */
  finish(written?: readonly number[]): ProcessTable;
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
type FigureColumn = keyof typeof figureColumns;
const figureNames = Object.keys(figureColumns) as FigureColumn[];
const textNames = ["name", "command", "cgroup"] as const;
type TextColumn = (typeof textNames)[number];
type Figures = ProcessTable[FigureColumn];

/**
 * What is the same in most columns of two scans is the same array in both tables, and what was filled in vain is filled
 * again the next time. A table lives for a second and so grows old: new arrays for each, a megabyte for five thousand
 * processes, had V8 collect its whole heap every few seconds.
 */
export function createColumnStore(): ColumnStore {
  let last: ProcessTable | undefined;
  let columns = createColumns(0, undefined);
  let capacity = 0;
  let isBegun = false;
  return {
    begin: (wanted) => {
      // What a crowd of processes once needed is not held for good.
      if (isBegun || capacity < wanted || capacity > 2 * wanted + 1_000) {
        capacity = wanted;
        columns = createColumns(capacity, last);
      }
      isBegun = true;
      columns.length = 0;
      return columns;
    },
    finish: (written) => {
      const { length } = columns;
      const before = last?.length === length ? last : undefined;
      const areSame =
        written === undefined || written.length > length / fewOf ? areAllSame : areSameAt(written);
      const figures = figureNames.map((name) => {
        const now = columns[name].subarray(0, length);
        if (before !== undefined && areSame(before[name], now)) return [name, before[name]];
        replace(columns, name, figureColumn(name, capacity, now));
        return [name, now];
      });
      const texts = textNames.map((name) => {
        const now: unknown[] = columns[name];
        now.length = length;
        if (before !== undefined && areSame(before[name], now)) return [name, before[name]];
        replace(columns, name, now.slice());
        return [name, now];
      });
      isBegun = false;
      last = Object.freeze(ofEntries<ProcessTable>([["length", length], ...figures, ...texts]));
      return last;
    },
  };
}

/** Writes a row that is as it was, and stood elsewhere in that table. */
export function copyRow(from: ProcessTable, at: number, columns: ColumnWriter, row: number): void {
  for (const name of figureNames) columns[name][row] = from[name][at] ?? Number.NaN;
  copyTexts(from, at, columns, row);
}

/** The same for rows that follow one another in both. */
export function copyRows(
  from: ProcessTable,
  at: number,
  columns: ColumnWriter,
  row: number,
  count: number,
): void {
  for (const name of figureNames) columns[name].set(from[name].subarray(at, at + count), row);
  for (let index = 0; index < count; index++) copyTexts(from, at + index, columns, row + index);
}

function copyTexts(from: ProcessTable, at: number, columns: ColumnWriter, row: number): void {
  columns.name[row] = from.name[at] ?? "";
  columns.command[row] = from.command[at] ?? null;
  columns.cgroup[row] = from.cgroup[at] ?? "";
}

/** Single rows are compared when they are less than this part of all: else all at once is cheaper. */
const fewOf = 4;

type Lives = Pick<ProcessTable, "pid" | "startTicks">;

/** Whether each row of two tables of a store, one after the other, is of the same life: such share these columns. */
export function haveSameLives(before: Lives, table: Lives): boolean {
  return before.pid === table.pid && before.startTicks === table.startTicks;
}

function createColumns(capacity: number, last: ProcessTable | undefined): ColumnWriter {
  return ofEntries([
    ["length", 0],
    ...figureNames.map((name) => [name, figureColumn(name, capacity, last?.[name].subarray(0, capacity))]),
    ...textNames.map((name) => [name, last?.[name].slice(0, capacity) ?? []]),
  ]);
}

/** One that gets its many properties one by one is a dictionary to V8, and each access to a column a search. */
function ofEntries<T>(entries: readonly (readonly unknown[])[]): T {
  return Object.fromEntries(entries);
}

function replace(
  columns: Record<FigureColumn | TextColumn, unknown>,
  name: FigureColumn | TextColumn,
  column: unknown,
): void {
  columns[name] = column;
}

function figureColumn(name: FigureColumn, capacity: number, known: Figures | undefined): Figures {
  const column = new figureColumns[name](capacity);
  if (known !== undefined) column.set(known);
  return column;
}

function areAllSame(one: ArrayLike<unknown>, other: ArrayLike<unknown>): boolean {
  if (!ArrayBuffer.isView(one) || !ArrayBuffer.isView(other)) return haveSameElements(one, other);
  // Bit by bit, so that NaN is the same as NaN.
  return Buffer.compare(bytesOf(one), bytesOf(other)) === 0;
}

/** A loop for each kind of column: one that sees all kinds is an order slower to V8. None has an iterator, which makes objects. */
function areSameAt(rows: readonly number[]) {
  return (one: ArrayLike<unknown>, other: ArrayLike<unknown>): boolean => {
    if (one instanceof Float64Array && other instanceof Float64Array) return areFloatsSame(one, other, rows);
    if (one instanceof Int32Array && other instanceof Int32Array) return areIntegersSame(one, other, rows);
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at] ?? 0;
      if (one[row] !== other[row]) return false;
    }
    return true;
  };
}

/** NaN is the same as NaN. */
function areFloatsSame(one: Float64Array, other: Float64Array, rows: readonly number[]): boolean {
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] ?? 0;
    const figure = one[row] ?? 0;
    const before = other[row] ?? 0;
    if (figure !== before && !(Number.isNaN(figure) && Number.isNaN(before))) return false;
  }
  return true;
}

function areIntegersSame(one: Int32Array, other: Int32Array, rows: readonly number[]): boolean {
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] ?? 0;
    if (one[row] !== other[row]) return false;
  }
  return true;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
