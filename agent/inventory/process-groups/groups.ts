import { counterColumns, type KernelUnits, type ProcessTable, startedAtMs } from "../../model.ts";
import type { NamedGroups } from "../../named-groups.ts";
import { addFigure, addUsed } from "../counter-sums.ts";
import { type CounterFigures, matchRows, sameRows } from "../life-counters.ts";
import { findRow } from "../row-by-pid.ts";
import type { ObservedScan, ScanObserver } from "../tracker.ts";
import { type AssignerParts, createAssigner, type Taken } from "./assigner.ts";
import { countUnreadable, createGroupSums } from "./group-sums.ts";
import { createGroupTable, type Group, type GroupRows } from "./group-table.ts";

/** Scans after which the end of a process that they do not show any more is not waited for. */
const keptScans = 3;

export interface ProcessGroupsParts extends AssignerParts {
  readonly units: KernelUnits;
  /** Seconds since the epoch at boot, as the kernel tells it in /proc/stat: whole ones. */
  readonly bootSeconds: number;
  readonly removeEmptyGroups: boolean;
  /** What is beyond is summed into `other`. */
  readonly maxGroups: number;
}

/**
 * Groups of processes as process-exporter has them: named once in the life of a process, by rules. What a process used
 * before the agent's first scan does not count, and counters do not fall when a member ends.
 */
export interface ProcessGroups extends ScanObserver {
  /** Of the last scan. */
  sums(): NamedGroups;
  /** The last scan and its groups; undefined before the first. */
  members(): Members | undefined;
  scanFailed(): void;
}

export interface Members {
  readonly table: ProcessTable;
  readonly rows: GroupRows;
}

interface Departed {
  readonly startTicks: number;
  readonly group: Group;
  scans: number;
}

export function createProcessGroups(parts: ProcessGroupsParts): ProcessGroups {
  const groups = createGroupTable(parts.maxGroups, parts.removeEmptyGroups);
  const assigner = createAssigner(parts, groups);
  const sumGroups = createGroupSums({ ...parts.units, bootSeconds: parts.bootSeconds });
  const departed = new Map<number, Departed>();
  const errors = { scanErrors: 0, readErrors: 0, partialErrors: 0 };
  let firstScanMs = Number.NaN;
  let last: Taken | undefined;
  /** Whether each process of the last scan stays in its group as long as it lives. */
  let isSettled = false;

  /** All that it has used, unless it is older than the agent's first scan. */
  const bookPast = (group: Group, { table }: ObservedScan, row: number): void => {
    const isLater = startedAtMs(table.startTicks[row] ?? 0, parts.units) > firstScanMs;
    for (const [index, column] of counterColumns.entries()) {
      const figure = table[column][row] ?? Number.NaN;
      if (!Number.isNaN(figure)) addFigure(group.counters, index, isLater ? figure : 0);
    }
  };
  /** The group of a process that is gone; it may not have been decided on. */
  const finalGroup = (taken: Taken, row: number): Group | null => {
    const known = taken.rows[row];
    if (known !== undefined) return known;
    const group = assigner.decideLate(taken, row);
    taken.rows[row] = group;
    if (group !== null) bookPast(group, taken.scan, row);
    return group;
  };
  const ageDeparted = (): void => {
    for (const [pid, one] of departed) if (--one.scans <= 0) departed.delete(pid);
  };
  const keepDeparted = (before: Taken, earlier: Int32Array): void => {
    ageDeparted();
    const stays = new Uint8Array(before.rows.length);
    for (const row of earlier) if (row !== -1) stays[row] = 1;
    const { pid, startTicks } = before.scan.table;
    for (let row = 0; row < stays.length; row++) {
      const group = stays[row] === 1 ? null : finalGroup(before, row);
      if (group !== null)
        departed.set(pid[row] ?? 0, { startTicks: startTicks[row] ?? 0, group, scans: keptScans });
    }
  };
  /** The same lives as before, each in its group for good. */
  const goOn = ({ rows }: Taken, scan: ObservedScan, changed: ArrayLike<number>): void => {
    ageDeparted();
    last = { scan, rows };
    addAdvance(last, [], changed);
  };
  const regroup = (scan: ObservedScan, before: Taken | undefined): void => {
    if (before === undefined) firstScanMs = scan.takenAt;
    const earlier = matchRows(before?.scan.table, scan.table);
    const taken: Taken = { scan, rows: new Array(scan.table.length).fill(undefined) };
    if (before !== undefined) keepDeparted(before, earlier);
    const joined = assigner.assign(taken, before, earlier);
    addAdvance(taken, joined, scan.changes?.rows);
    for (const row of joined) {
      const group = taken.rows[row];
      if (group) bookPast(group, scan, row);
    }
    countMembers(taken, before);
    isSettled = assigner.areSettled(taken);
    last = taken;
  };
  return {
    observe: (scan) => {
      if (last !== undefined && isSettled && scan.changes !== undefined) goOn(last, scan, scan.changes.rows);
      else regroup(scan, last);
      groups.sweep(scan.takenAt);
      for (const { where, count } of scan.problems)
        if (where === "/proc/PID/stat") errors.readErrors += count;
    },
    ended: (pid, startTicks, added) => {
      const row = last === undefined ? -1 : findRow(last.scan.table, pid, startTicks);
      const gone = departed.get(pid);
      if (last !== undefined && row !== -1) addFigures(finalGroup(last, row), added);
      else if (gone?.startTicks === startTicks) addFigures(gone.group, added);
    },
    sums: () => {
      if (last !== undefined) errors.partialErrors += countUnreadable(last.scan.table, last.rows);
      const shown = [...groups.shown()];
      const summed = last === undefined ? [] : sumGroups(last.scan.table, last.rows, shown);
      return { groups: summed, otherGroups: groups.summed(), ...errors };
    },
    members: () => last && { table: last.scan.table, rows: last.rows },
    scanFailed: () => {
      errors.scanErrors++;
    },
  };
}

/**
 * Column by column: what members used since the scan before. Those who have just joined are booked apart.
 * @param changed rows of which something may have been used; all when left out
 */
function addAdvance(
  { scan, rows }: Taken,
  joined: readonly number[],
  changed: ArrayLike<number> = sameRows(rows.length),
): void {
  const isNew = new Uint8Array(rows.length);
  for (const row of joined) isNew[row] = 1;
  for (const [index, column] of counterColumns.entries()) {
    const figures = scan.table[column];
    const added = scan.advance.added[index];
    for (let at = 0; at < changed.length; at++) {
      const row = changed[at] ?? -1;
      const group = rows[row];
      if (!group || isNew[row] === 1) continue;
      addUsed(group.counters, index, added?.[row] ?? 0, figures[row] ?? Number.NaN);
    }
  }
}

function addFigures(group: Group | null, added: CounterFigures): void {
  if (group === null) return;
  for (let index = 0; index < added.length; index++) {
    const figure = added[index] ?? 0;
    if (figure !== 0) addFigure(group.counters, index, figure);
  }
}

function countMembers({ rows }: Taken, before: Taken | undefined): void {
  for (const known of [before?.rows ?? [], rows]) {
    for (const group of known) {
      if (!group) continue;
      group.members = 0;
      if (group.into !== undefined) group.into.members = 0;
    }
  }
  for (const group of rows) {
    if (!group) continue;
    group.members++;
    if (group.into !== undefined) group.into.members++;
  }
}
