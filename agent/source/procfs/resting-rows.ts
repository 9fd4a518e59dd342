// 1523411 88032 7
import { accessSync } from "node:fs";
import type { FileCalls } from "../../file-calls.ts";
import type { ProcessTable } from "../../model.ts";
import { type ColumnWriter, copyRow } from "../columns.ts";
import { turns } from "../turns.ts";
import { numberAt, skipColumn } from "./digits.ts";
import { createFileReader } from "./files.ts";

/**
 * Keeps the rows of processes that have not been on a CPU since they were read: one file of them is read instead of all.
 * /proc/PID/schedstat has the nanoseconds that the main thread has run, and how often it was given the CPU
 * (Documentation/scheduler/sched-stats.rst), so neither stays as it was when a process of one thread does anything. What
 * others do to it is its end, which wakes it; the end of its parent, which is looked for; and what waits for its turn.
 */
export interface RestingRows {
  /** @param last the table that the columns hold as it was; @param pids all that are there now, ascending */
  begin(last: ProcessTable | undefined, pids: Int32Array): void;
  /**
   * Adds the process's row as it was in the table before, if it is sure to be the same. To be called PID by PID, ascending.
   * @param isTurn whether it is to be read come what may
   */
  keep(
    pid: number,
    isTurn: boolean,
    scan: { readonly columns: ColumnWriter; readonly number: number },
  ): boolean;
  /**
   * The process of the last `keep` has been read into the last row.
   * @param rests whether that stays as it is for as long as the process does not run
   */
  wrote(columns: ColumnWriter, rests: boolean): void;
  /** PIDs of the rows that were kept. */
  kept(): Int32Array;
}

const zombie = "Z".charCodeAt(0);
const running = "R".charCodeAt(0);

/** By row, what its process had run before it was read; NaN where it is to be read anew. */
interface Runs {
  nanoseconds: Float64Array;
  times: Float64Array;
}

/** @returns undefined where the kernel has no such file (CONFIG_SCHED_INFO) */
export function createRestingRows(root: string, calls: FileCalls): RestingRows | undefined {
  if (!["self", "1"].some((pid) => isReadable(`${root}/${pid}/schedstat`))) return undefined;
  const reader = createFileReader(undefined, calls);
  let before = runsOf(0);
  let now = runsOf(0);
  let last: ProcessTable | undefined;
  /** Row of the table before that was looked at last. */
  let at = 0;
  let nanoseconds = Number.NaN;
  let times = Number.NaN;
  let keptPids = new Int32Array(0);
  let keptCount = 0;
  /** PIDs whose children have another parent: of those that ended, in this scan and in the one before. */
  let ended = new Set<number>();
  let endedBefore = new Set<number>();
  const readRun = (pid: number): void => {
    const length = reader.read(`${root}/${pid}/schedstat`);
    const end = typeof length === "number" ? length : 0;
    nanoseconds = numberAt(reader.bytes, 0, end);
    const second = skipColumn(reader.bytes, 0, end);
    times = numberAt(reader.bytes, skipColumn(reader.bytes, second, end), end);
  };
  const note = (row: number, isSure: boolean): void => {
    now.nanoseconds[row] = isSure ? nanoseconds : Number.NaN;
    now.times[row] = times;
  };
  const isAsBefore = (pid: number): boolean => {
    if (last === undefined || last.pid[at] !== pid) return false;
    const parent = last.parentPid[at] ?? 0;
    return (
      // Never so of NaN.
      before.nanoseconds[at] === nanoseconds &&
      before.times[at] === times &&
      !ended.has(parent) &&
      !endedBefore.has(parent)
    );
  };
  return {
    begin: (table, pids) => {
      [before, now] = [now, before];
      if (now.times.length < pids.length) now = runsOf(2 * pids.length);
      if (keptPids.length < pids.length) keptPids = new Int32Array(2 * pids.length);
      last = table;
      at = 0;
      keptCount = 0;
      endedBefore = ended;
      ended = goneOf(table?.pid ?? keptPids.subarray(0, 0), pids);
    },
    keep: (pid, isTurn, { columns, number }) => {
      readRun(pid);
      while (last !== undefined && (last.pid[at] ?? pid) < pid) at++;
      if (isTurn || (number + pid) % turns === 0 || !isAsBefore(pid)) return false;
      const row = columns.length++;
      if (row !== at && last !== undefined) copyRow(last, at, columns, row);
      note(row, true);
      keptPids[keptCount++] = pid;
      return true;
    },
    wrote: (columns, rests) => {
      const row = columns.length - 1;
      const pid = columns.pid[row] ?? 0;
      const isOther = last?.pid[at] === pid && last.startTicks[at] !== columns.startTicks[row];
      if (isOther || columns.state[row] === zombie) ended.add(pid);
      note(row, rests && columns.threads[row] === 1 && columns.state[row] !== running);
    },
    kept: () => keptPids.subarray(0, keptCount),
  };
}

function isReadable(file: string): boolean {
  try {
    accessSync(file);
    return true;
  } catch {
    // Whatever the reason: then everything is read each time.
    return false;
  }
}

function runsOf(length: number): Runs {
  return {
    nanoseconds: new Float64Array(length).fill(Number.NaN),
    times: new Float64Array(length),
  };
}

/** Those that only the first has; both ascend. */
function goneOf(before: Int32Array, now: Int32Array): Set<number> {
  const gone = new Set<number>();
  let at = 0;
  for (const pid of before) {
    while (at < now.length && (now[at] ?? 0) < pid) at++;
    if (now[at] !== pid) gone.add(pid);
  }
  return gone;
}
