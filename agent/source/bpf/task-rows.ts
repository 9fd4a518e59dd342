import type { FileCalls } from "../../file-calls.ts";
import { type KernelUnits, kernelThreadFlag, type ProcessTable } from "../../model.ts";
import { type CgroupTexts, cgroupKey } from "../cgroupfs/cgroup-texts.ts";
import { copyRows } from "../columns.ts";
import { createProblems } from "../problems.ts";
import { createFileReader } from "../procfs/files.ts";
import type { GuardedReader } from "../procfs/guarded-reader.ts";
import { createLives, createSighting, type Life, restOf, rests } from "../procfs/lives.ts";
import { createOpenFilesCounter } from "../procfs/open-files.ts";
import type { RowScan } from "../procfs/procfs-source.ts";
import { systemShare } from "./cpu-time.ts";
import { words } from "./process-record.ts";
import { wordsOfRecord } from "./record-pool.ts";
import { commEnd, enlarge, type TaskRecords } from "./task-records.ts";
import { stateLetter } from "./task-state.ts";

const RLIM_INFINITY = 2 ** 64;
/** Rows for which room is made at first. */
const leastRows = 1024;

/** Turns the iterator's records into rows. */
export interface TaskRows {
  /** @returns how many files of /proc were read for it: those of a process that is new, as a rule none */
  write(record: number, scan: RowScan): number;
  /**
   * Adds the rows of processes whose records are as they were in the scan before, up to the first one that has to be written,
   * since its title may have changed.
   * @param from index of the first process; @param below PIDs from this on are not looked at
   * @param before the table of the scan before; @param moved gets the rows that stood elsewhere there
   * @returns how many
   */
  keep(from: number, below: number, scan: RowScan, before: ProcessTable, moved: number[]): number;
  sweep(scan: RowScan): void;
}

export function createTaskRows(
  parts: {
    readonly root: string;
    readonly units: KernelUnits;
    readonly cgroups: CgroupTexts;
    readonly commands: GuardedReader;
    readonly calls: FileCalls;
  },
  records: TaskRecords,
): TaskRows {
  const countOpenFiles = createOpenFilesCounter(parts.root, parts.calls);
  let problems = createProblems();
  /** The cgroups of the process that is being written. */
  let unifiedId = 0;
  let memoryId = 0;
  const lives = createLives({
    root: parts.root,
    reader: createFileReader(undefined, parts.calls),
    commands: parts.commands,
    problems: () => problems,
    // Only titles can change unseen here: cgroups have a key.
    rereadEvery: 300,
    needsLimits: false,
    needsContainerPid: true,
    isOwnCgroup: (text) => parts.cgroups.learn(unifiedId, memoryId, text),
  });
  const sighting = createSighting();
  const tickNs = 1e9 / parts.units.ticksPerSecond;
  /** By the place of a process's record: for how long its row stays as it is, one of `rests`, and which it is. */
  let restOfRow = new Uint8Array(0);
  let rowOf = new Int32Array(0);
  /** PIDs of the rows that this scan kept. */
  let kept = new Int32Array(0);
  let keptCount = 0;
  const note = (record: number, row: number, rest: number): void => {
    const place = record / wordsOfRecord;
    if (place >= rowOf.length) {
      restOfRow = enlarge(restOfRow, new Uint8Array(2 * place + leastRows));
      rowOf = enlarge(rowOf, new Int32Array(2 * place + leastRows));
    }
    restOfRow[place] = rest;
    rowOf[place] = row;
  };
  return {
    write: (record, scan) => {
      problems = scan.problems;
      const { columns } = scan;
      const { figure, bytes } = records;
      unifiedId = figure(record + words.defaultCgroup);
      memoryId = figure(record + words.memoryCgroup);
      sighting.pid = figure(record + words.processId);
      sighting.startTicks = Math.floor(figure(record + words.startTime) / tickNs);
      sighting.state = stateLetter(figure(record + words.state), figure(record + words.exitState));
      sighting.flags = figure(record + words.flags);
      sighting.bytes = bytes;
      sighting.commFrom = records.commFrom(record);
      sighting.commEnd = commEnd(bytes, sighting.commFrom);
      sighting.cgroupKey = cgroupKey(unifiedId, memoryId);
      const { filesRead } = lives;
      const life = lives.update(sighting, scan.number);
      // It ended before its file could be read: the kernel's ids tell as well where it was.
      if (life.cgroup === "") life.cgroup = parts.cgroups.find(unifiedId, memoryId) ?? "";
      const row = columns.length++;
      columns.pid[row] = sighting.pid;
      columns.flags[row] = sighting.flags;
      columns.state[row] = sighting.state;
      columns.startTicks[row] = sighting.startTicks;
      writeFacts(row, life, scan);
      writeFigures(row, record, records, scan, parts.units);
      const open = (sighting.flags & kernelThreadFlag) !== 0 ? 0 : records.openFiles(record);
      columns.openFiles[row] = Number.isNaN(open) ? countOpenFiles(sighting.pid, scan.problems) : open;
      // A count that the kernel program gave up is from /proc, and is made anew each time.
      note(record, row, Number.isNaN(open) ? rests.none : restOf(life));
      return lives.filesRead - filesRead;
    },
    keep: (from, below, { columns, number }, before, moved) => {
      const { pids, same } = records;
      const count = records.count();
      const first = columns.length;
      if (keptCount + count - from > kept.length) kept = enlarge(kept, new Int32Array(2 * count + leastRows));
      let row = first;
      // Those that follow one another and have moved as far are copied together: from where, and how far. In the place of one
      // that has not moved stands its row already.
      let start = first;
      let distance = 0;
      const move = (): void => {
        if (distance !== 0) copyRows(before, start + distance, columns, start, row - start);
      };
      for (let index = from; index < count && same[index] === 1; index++) {
        const pid = pids[index] ?? 0;
        const place = records.at(index) / wordsOfRecord;
        const rest = restOfRow[place] ?? rests.none;
        if (pid >= below || rest === rests.none || (rest === rests.untilTurn && lives.isTurn(pid, number)))
          break;
        const away = (rowOf[place] ?? row) - row;
        if (away !== distance) {
          move();
          start = row;
          distance = away;
        }
        if (away !== 0) {
          moved.push(row);
          rowOf[place] = row;
        }
        kept[keptCount++] = pid;
        row++;
      }
      move();
      columns.length = row;
      return row - first;
    },
    sweep: ({ number }) => {
      lives.sweep(number, kept.subarray(0, keptCount));
      keptCount = 0;
    },
  };
}

function writeFacts(row: number, life: Life, { columns }: RowScan): void {
  columns.containerPid[row] = life.containerPid;
  columns.name[row] = life.name;
  columns.command[row] = life.command;
  columns.cgroup[row] = life.cgroup;
}

/** What the threads that live have used, and those that have ended, as /proc has it for the process. */
function writeFigures(
  row: number,
  record: number,
  records: TaskRecords,
  { columns }: RowScan,
  units: KernelUnits,
): void {
  const { figure, positive } = records;
  const runNs = figure(record + words.runTime) + figure(record + words.deadRunTime);
  const systemNs = systemShare(
    runNs,
    figure(record + words.userTime) + figure(record + words.deadUserTime),
    figure(record + words.systemTime) + figure(record + words.deadSystemTime),
  );
  const pages =
    positive(record + words.filePages) +
    positive(record + words.anonymousPages) +
    positive(record + words.sharedPages);
  const limit = figure(record + words.openFilesLimit);
  columns.parentPid[row] = figure(record + words.parentId);
  columns.userId[row] = figure(record + words.userId);
  columns.threads[row] = figure(record + words.threads);
  columns.userSeconds[row] = (runNs - systemNs) / 1e9;
  columns.systemSeconds[row] = systemNs / 1e9;
  columns.residentBytes[row] = pages * units.pageBytes;
  columns.virtualBytes[row] = figure(record + words.virtualPages) * units.pageBytes;
  columns.swapBytes[row] = positive(record + words.swapPages) * units.pageBytes;
  columns.minorFaults[row] = figure(record + words.minorFaults) + figure(record + words.deadMinorFaults);
  columns.majorFaults[row] = figure(record + words.majorFaults) + figure(record + words.deadMajorFaults);
  columns.voluntarySwitches[row] =
    figure(record + words.voluntarySwitches) + figure(record + words.deadVoluntarySwitches);
  columns.involuntarySwitches[row] =
    figure(record + words.involuntarySwitches) + figure(record + words.deadInvoluntarySwitches);
  columns.readBytes[row] = figure(record + words.readBytes) + figure(record + words.deadReadBytes);
  columns.writtenBytes[row] = figure(record + words.writtenBytes) + figure(record + words.deadWrittenBytes);
  columns.openFilesLimit[row] = limit >= RLIM_INFINITY ? Number.POSITIVE_INFINITY : limit;
}
