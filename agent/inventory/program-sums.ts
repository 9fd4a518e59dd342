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
import type { TableChanges } from "../source/process-source.ts";
import { haveSameElements } from "../source/same-elements.ts";
import { addFigure, addUsed, toUsage } from "./counter-sums.ts";
import { changedColumns } from "./gauge-columns.ts";
import { type Advance, type CounterFigures, sameRows } from "./life-counters.ts";
import { sumGauges } from "./program-gauges.ts";
import { createProgramTable, type Program } from "./program-table.ts";

export interface SumsInput {
  readonly table: ProcessTable;
  readonly containers: readonly Container[];
  /** The array of the scan before while it is the same, as are `names`. */
  readonly containerOf: Int32Array;
  /** Row → program. */
  readonly names: readonly string[];
  /** What each row used since the last scan, and which are new. */
  readonly advance: Advance;
  /** Since the scan before; undefined where that is not known. */
  readonly changes: TableChanges | undefined;
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

/** What the members of programs were found by, and them. */
interface Membership extends Pick<SumsInput, "table" | "containers" | "containerOf" | "names" | "cpuCores"> {
  /** Row → program. */
  readonly members: readonly Program[];
  /** Container → its index in `containers`. */
  readonly indexOf: ReadonlyMap<string, number>;
  /** All programs at that time. */
  readonly all: readonly Program[];
  readonly programOf: Int32Array;
}

/**
 * Sums processes into programs. Counters add up what each process used between scans, so they stay when a member
 * ends. While processes neither come nor go only the programs whose members have done something are summed anew.
 */
export function createProgramSums(
  units: KernelUnits,
  maxPrograms: number,
): { advance(input: SumsInput): ProgramSums; ended(member: EndedMember, nowMs: number): void } {
  const table = createProgramTable(maxPrograms);
  let last: Membership | undefined;
  const regroup = (input: SumsInput): readonly Program[] => {
    for (const program of table.all()) {
      program.rows.length = 0;
      program.isStale = true;
    }
    const members: Program[] = new Array(input.names.length);
    for (let row = 0; row < members.length; row++) {
      const container = input.containers[input.containerOf[row] ?? -1];
      const program = table.get(container?.id ?? "", input.names[row] ?? "", input.nowMs);
      program.rows.push(row);
      members[row] = program;
    }
    return members;
  };
  return {
    advance: (input) => {
      const isSame = last !== undefined && last.all === table.all() && haveSameMembers(last, input);
      const known = isSame ? last : undefined;
      const members = known?.members ?? regroup(input);
      if (known !== undefined) markStale(known, input);
      addCounters(
        members,
        input,
        known === undefined ? sameRows(members.length) : (input.changes?.rows ?? []),
      );
      if (last !== undefined) countStarts(members, input);
      const changed = changedColumns(known?.table, input.table);
      const indexOf = known?.indexOf ?? indexContainers(input.containers);
      for (const program of table.all()) {
        if (program.isStale) {
          sumGauges(program.gauges, program.rows, input, changed, units);
          program.isStale = false;
          // At once, while what has been summed is in the CPU's cache.
          const container = indexOf.get(program.containerId);
          program.totals = container === undefined ? undefined : toTotals(program, container);
        }
        if (program.gauges.processes > 0) program.lastSeenMs = input.nowMs;
      }
      table.sweep(indexOf, input.nowMs);
      const all = table.all();
      const programs: ProgramTotals[] = [];
      for (const program of all) {
        const container = indexOf.get(program.containerId);
        program.index = container === undefined ? -1 : programs.length;
        if (container === undefined) continue;
        program.totals ??= toTotals(program, container);
        program.shown = program.totals;
        programs.push(program.totals);
      }
      const programOf = known?.all === all ? known.programOf : indexMembers(members);
      const { containers, containerOf, names, cpuCores } = input;
      last = {
        table: input.table,
        containers,
        containerOf,
        names,
        cpuCores,
        members,
        indexOf,
        all,
        programOf,
      };
      return { programs, programOf };
    },
    ended: ({ containerId, program: name, reason, added, isNew }, nowMs) => {
      const program = table.get(containerId, name, nowMs);
      program.lastSeenMs = nowMs;
      program.totals = undefined;
      const index = exitReasons.indexOf(reason);
      program.exits[index] = (program.exits[index] ?? 0) + 1;
      if (isNew) program.starts++;
      for (let at = 0; at < added.length; at++) addFigure(program.counters, at, added[at] ?? 0);
    },
  };
}

/** Whether every process is still of the program that it was of. */
function haveSameMembers(last: Membership, input: SumsInput): boolean {
  return (
    input.changes !== undefined &&
    last.names === input.names &&
    last.containerOf === input.containerOf &&
    haveSameElements(last.containers, input.containers)
  );
}

/** The programs of rows that may have changed. A rate changes, too, when the process has stopped working. */
function markStale({ members, cpuCores }: Membership, input: SumsInput): void {
  for (const row of input.changes?.rows ?? []) markRow(members, row);
  for (let row = 0; row < members.length; row++)
    if (!Object.is(cpuCores[row], input.cpuCores[row])) markRow(members, row);
}

function markRow(members: readonly Program[], row: number): void {
  const program = members[row];
  if (program !== undefined) program.isStale = true;
}

/** The host's own programs are of the container "". */
function indexContainers(containers: readonly Container[]): ReadonlyMap<string, number> {
  const indexOf = new Map(containers.map((container, index) => [container.id, index]));
  return indexOf.set("", -1);
}

function indexMembers(members: readonly Program[]): Int32Array {
  const programOf = new Int32Array(members.length);
  for (let row = 0; row < members.length; row++) programOf[row] = members[row]?.index ?? -1;
  return programOf;
}

/** Column by column: a figure that could not be read adds nothing, and the first readable one replaces NaN. */
function addCounters(
  members: readonly Program[],
  { table, advance: { added } }: SumsInput,
  changed: ArrayLike<number>,
): void {
  for (const [index, column] of counterColumns.entries()) {
    const figures = table[column];
    const used = added[index];
    for (let at = 0; at < changed.length; at++) {
      const row = changed[at] ?? -1;
      const counters = members[row]?.counters;
      if (counters !== undefined) addUsed(counters, index, used?.[row] ?? 0, figures[row] ?? Number.NaN);
    }
  }
}

/** Threads of the kernel come and go with its work: they are no starts of a program. */
function countStarts(members: readonly Program[], { table, advance: { newRows } }: SumsInput): void {
  for (const row of newRows) {
    const program = members[row];
    if (program !== undefined && ((table.flags[row] ?? 0) & kernelThreadFlag) === 0) program.starts++;
  }
}

/**
 * What is the same as the last time is the same array: it is old by then, and V8 would have to collect it. Property by property:
 * V8 takes five times as long for a spread, for each of the programs that have done something.
 */
function toTotals(
  { name, gauges, counters, exits, starts, shown }: Program,
  container: number,
): ProgramTotals {
  const usage = toUsage(counters);
  return {
    container,
    name,
    processes: gauges.processes,
    threads: gauges.threads,
    userSeconds: usage.userSeconds,
    systemSeconds: usage.systemSeconds,
    readBytes: usage.readBytes,
    writtenBytes: usage.writtenBytes,
    voluntarySwitches: usage.voluntarySwitches,
    involuntarySwitches: usage.involuntarySwitches,
    minorFaults: usage.minorFaults,
    majorFaults: usage.majorFaults,
    cpuCores: gauges.cpuCores,
    residentBytes: gauges.residentBytes,
    virtualBytes: gauges.virtualBytes,
    swapBytes: gauges.swapBytes,
    openFiles: gauges.openFiles,
    openFilesWorstRatio: gauges.openFilesWorstRatio,
    byState: copyOf(gauges.byState, shown?.byState),
    oldestStartSeconds: gauges.oldestStartSeconds,
    exits: copyOf(exits, shown?.exits),
    starts,
  };
}

function copyOf(figures: readonly number[], known: readonly number[] | undefined): readonly number[] {
  return known !== undefined && haveSameElements(known, figures) ? known : figures.slice();
}
