import type { KernelUnits, ProcessTable } from "../../model.ts";
import { groupStateOf, groupStates, type NamedGroup } from "../../named-groups.ts";
import { toUsage } from "../counter-sums.ts";
import type { Group, GroupRows } from "./group-table.ts";

/** Character code of the kernel's letter → index into `groupStates`. */
const stateOfLetter = Uint8Array.from({ length: 128 }, (_, letter) => groupStateOf(letter));

/** The gauges of all groups, each an array by the group's place. */
interface Gauges {
  readonly processes: Float64Array;
  readonly threads: Float64Array;
  readonly residentBytes: Float64Array;
  readonly virtualBytes: Float64Array;
  readonly swapBytes: Float64Array;
  readonly openFiles: Float64Array;
  readonly worstRatio: Float64Array;
  readonly oldestTicks: Float64Array;
  readonly states: Float64Array;
}

/** Sums the members of the last scan; called when somebody asks, unlike the counters. */
export function sumGroups(
  table: ProcessTable,
  rows: GroupRows,
  shown: readonly Group[],
  units: KernelUnits,
): readonly NamedGroup[] {
  for (const [place, group] of shown.entries()) group.place = place;
  const gauges = createGauges(shown.length);
  for (let row = 0; row < rows.length; row++) {
    const group = rows[row];
    if (group) addRow(gauges, (group.into ?? group).place, table, row);
  }
  return shown.map((group, place) => toNamedGroup(group, place, gauges, units));
}

/** Members of which a figure could not be read, for want of rights. */
export function countUnreadable(table: ProcessTable, rows: GroupRows): number {
  let count = 0;
  for (let row = 0; row < rows.length; row++) {
    if (!rows[row]) continue;
    if (Number.isNaN(table.readBytes[row]) || Number.isNaN(table.openFiles[row])) count++;
  }
  return count;
}

function createGauges(length: number): Gauges {
  const zeros = (): Float64Array => new Float64Array(length);
  const blanks = (): Float64Array => new Float64Array(length).fill(Number.NaN);
  return {
    processes: zeros(),
    threads: zeros(),
    residentBytes: zeros(),
    virtualBytes: zeros(),
    swapBytes: blanks(),
    openFiles: blanks(),
    worstRatio: blanks(),
    oldestTicks: blanks(),
    states: new Float64Array(length * groupStates.length),
  };
}

function addRow(gauges: Gauges, at: number, table: ProcessTable, row: number): void {
  add(gauges.processes, at, 1);
  add(gauges.threads, at, table.threads[row] ?? 0);
  add(gauges.residentBytes, at, table.residentBytes[row] ?? 0);
  add(gauges.virtualBytes, at, table.virtualBytes[row] ?? 0);
  add(gauges.swapBytes, at, table.swapBytes[row] ?? Number.NaN);
  const openFiles = table.openFiles[row] ?? Number.NaN;
  add(gauges.openFiles, at, openFiles);
  const ratio = openFiles / (table.openFilesLimit[row] ?? Number.NaN);
  if (!Number.isNaN(ratio) && !(ratio <= (gauges.worstRatio[at] ?? 0))) gauges.worstRatio[at] = ratio;
  const ticks = table.startTicks[row] ?? 0;
  if (!(ticks >= (gauges.oldestTicks[at] ?? 0))) gauges.oldestTicks[at] = ticks;
  const state = stateOfLetter[table.state[row] ?? 0] ?? groupStates.length - 1;
  add(gauges.states, at * groupStates.length + state, 1);
}

/** NaN stands for "none readable yet": it gives way to the first figure. */
function add(sums: Float64Array, at: number, figure: number): void {
  if (Number.isNaN(figure)) return;
  const sum = sums[at] ?? 0;
  sums[at] = Number.isNaN(sum) ? figure : sum + figure;
}

function toNamedGroup({ name, counters }: Group, at: number, gauges: Gauges, units: KernelUnits): NamedGroup {
  const processes = gauges.processes[at] ?? 0;
  const gauge = (figures: Float64Array): number => (processes === 0 ? 0 : (figures[at] ?? Number.NaN));
  const from = at * groupStates.length;
  return {
    name,
    processes,
    threads: gauge(gauges.threads),
    ...toUsage(counters),
    residentBytes: gauge(gauges.residentBytes),
    virtualBytes: gauge(gauges.virtualBytes),
    swapBytes: gauge(gauges.swapBytes),
    openFiles: gauge(gauges.openFiles),
    openFilesWorstRatio: gauge(gauges.worstRatio),
    oldestStartSeconds: Math.floor(
      units.bootSeconds + (gauges.oldestTicks[at] ?? Number.NaN) / units.ticksPerSecond,
    ),
    states: [...gauges.states.subarray(from, from + groupStates.length)],
  };
}
