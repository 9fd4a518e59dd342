import {
  type Container,
  counterColumns,
  type ExitReason,
  exitReasons,
  type KernelUnits,
  kernelThreadFlag,
  type ProcessTable,
  type ProgramTotals,
} from "../model.ts";
import { addFigure, addUsed, toUsage } from "./counter-sums.ts";
import type { Advance, CounterFigures } from "./life-counters.ts";
import { createGauges, type ProgramGauges } from "./program-gauges.ts";
import { isStarting } from "./programs.ts";

/** Where programs beyond the bound are summed. */
const otherProgram = "other";

/** How long the counters of a program without processes are kept while its container is there. */
const forgetAfterMs = 15 * 60_000;

/**
 * How long the counters of a container that is not there are kept without being shown. Ends can be told of one that
 * began while the scan was under way, before a scan or the engine has shown it.
 */
const awaitContainerMs = 10_000;

export interface SumsInput {
  readonly table: ProcessTable;
  readonly containers: readonly Container[];
  readonly containerOf: Int32Array;
  /** Row → program. */
  readonly names: readonly string[];
  /** What each row used since the last scan, and which are new. */
  readonly advance: Advance;
  readonly cpuCores: Float64Array;
  readonly nowMs: number;
}

/** A member that has ended. */
export interface EndedMember {
  readonly containerId: string;
  readonly program: string;
  readonly reason: ExitReason;
  /** What it used beyond what scans have seen. */
  readonly added: CounterFigures;
  /** No scan has seen it: its start is counted with its end. */
  readonly isNew: boolean;
}

export interface ProgramSums {
  readonly programs: readonly ProgramTotals[];
  readonly programOf: Int32Array;
}

interface Group {
  readonly containerId: string;
  readonly name: string;
  /** In the order of `counterColumns`; other than CPU time NaN until a member's figure could be read. */
  readonly counters: Float64Array;
  readonly gauges: ProgramGauges;
  /** In the order of `exitReasons`. */
  readonly exits: number[];
  starts: number;
  lastSeenMs: number;
  /** Index in this scan's `programs`. */
  index: number;
}

/**
 * Sums processes into programs. Counters add up what each process used between scans, so they stay when a member
 * ends. The number of groups is bounded: names come from containers, which could make up endless ones.
 */
export function createProgramSums(
  units: KernelUnits,
  maxPrograms: number,
): { advance(input: SumsInput): ProgramSums; ended(member: EndedMember, nowMs: number): void } {
  let isFirst = true;
  const groups = new Map<string, Map<string, Group>>();
  let count = 0;

  const groupOf = (containerId: string, name: string, nowMs: number): Group => {
    let own = groups.get(containerId);
    if (own === undefined) {
      own = new Map();
      groups.set(containerId, own);
    }
    const found = own.get(name);
    if (found !== undefined) return found;
    if (count >= maxPrograms && name !== otherProgram) return groupOf(containerId, otherProgram, nowMs);
    // CPU time can always be read.
    const counters = Float64Array.from(counterColumns, (column) =>
      column.endsWith("Seconds") ? 0 : Number.NaN,
    );
    const made: Group = {
      containerId,
      name,
      counters,
      gauges: createGauges(units),
      exits: exitReasons.map(() => 0),
      starts: 0,
      lastSeenMs: nowMs,
      index: -1,
    };
    own.set(name, made);
    count++;
    return made;
  };

  const forget = (input: SumsInput, present: ReadonlyMap<string, unknown>): void => {
    for (const [containerId, own] of groups) {
      for (const [name, group] of own) {
        const keptMs = present.has(containerId) ? forgetAfterMs : awaitContainerMs;
        const isOld = input.nowMs - group.lastSeenMs > keptMs || isStarting(name);
        if (group.gauges.processes === 0 && isOld) {
          own.delete(name);
          count--;
        }
      }
      if (own.size === 0) groups.delete(containerId);
    }
  };

  return {
    advance: (input) => {
      for (const own of groups.values()) for (const group of own.values()) group.gauges.clear();
      const members: Group[] = new Array(input.table.length);
      for (let row = 0; row < input.table.length; row++) {
        const container = input.containers[input.containerOf[row] ?? -1];
        const group = groupOf(container?.id ?? "", input.names[row] ?? "", input.nowMs);
        group.lastSeenMs = input.nowMs;
        group.gauges.add(input.table, row, input.cpuCores[row] ?? Number.NaN);
        members[row] = group;
      }
      addCounters(members, input);
      if (!isFirst) countStarts(members, input);
      isFirst = false;
      const indexOfContainer = new Map(input.containers.map((container, index) => [container.id, index]));
      indexOfContainer.set("", -1);
      forget(input, indexOfContainer);
      const programs: ProgramTotals[] = [];
      for (const [containerId, own] of groups) {
        const container = indexOfContainer.get(containerId);
        if (container === undefined) continue;
        for (const group of own.values()) {
          group.index = programs.length;
          programs.push(toTotals(group, container));
        }
      }
      return { programs, programOf: Int32Array.from(members, (group) => group.index) };
    },
    ended: ({ containerId, program, reason, added, isNew }, nowMs) => {
      const group = groupOf(containerId, program, nowMs);
      group.lastSeenMs = nowMs;
      const index = exitReasons.indexOf(reason);
      group.exits[index] = (group.exits[index] ?? 0) + 1;
      if (isNew) group.starts++;
      for (let at = 0; at < added.length; at++) addFigure(group.counters, at, added[at] ?? 0);
    },
  };
}

/** Column by column: a figure that could not be read adds nothing, and the first readable one replaces NaN. */
function addCounters(members: readonly Group[], { table, advance: { added } }: SumsInput): void {
  for (const [index, column] of counterColumns.entries()) {
    const figures = table[column];
    const rows = added[index];
    for (let row = 0; row < members.length; row++) {
      const counters = members[row]?.counters;
      if (counters !== undefined) addUsed(counters, index, rows?.[row] ?? 0, figures[row] ?? Number.NaN);
    }
  }
}

/** Threads of the kernel come and go with its work: they are no starts of a program. */
function countStarts(members: readonly Group[], { table, advance: { newRows } }: SumsInput): void {
  for (const row of newRows) {
    const group = members[row];
    if (group !== undefined && ((table.flags[row] ?? 0) & kernelThreadFlag) === 0) group.starts++;
  }
}

function toTotals({ name, gauges, counters, exits, starts }: Group, container: number): ProgramTotals {
  return {
    container,
    name,
    processes: gauges.processes,
    threads: gauges.threads,
    ...toUsage(counters),
    cpuCores: gauges.cpuCores,
    residentBytes: gauges.residentBytes,
    virtualBytes: gauges.virtualBytes,
    swapBytes: gauges.swapBytes,
    openFiles: gauges.openFiles,
    openFilesWorstRatio: gauges.openFilesWorstRatio,
    byState: gauges.byState.slice(),
    oldestStartSeconds: gauges.oldestStartSeconds,
    exits: exits.slice(),
    starts,
  };
}
