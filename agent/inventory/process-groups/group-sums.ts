import type { KernelUnits, ProcessTable } from "../../model.ts";
import { groupStateOf, groupStates, type NamedGroup } from "../../named-groups.ts";
import { haveSameElements } from "../../source/same-elements.ts";
import { toUsage } from "../counter-sums.ts";
import { changedColumns, type GaugeColumns, gaugeColumnsOf } from "../gauge-columns.ts";
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

/** Sums the members of a scan by groups. */
export type SumGroups = (
  table: ProcessTable,
  rows: GroupRows,
  shown: readonly Group[],
) => readonly NamedGroup[];

/** Called when somebody asks, unlike the counters. Of columns that are the same as the last time the sums stay. */
export function createGroupSums(units: KernelUnits): SumGroups {
  let last: Summed | undefined;
  return (table, rows, shown) => {
    for (const [place, group] of shown.entries()) group.place = place;
    const places = placesOf(rows);
    const isSame = last?.length === shown.length && haveSameElements(last.places, places);
    const gauges = sumColumns(table, places, shown.length, isSame ? last : undefined);
    last = { columns: gaugeColumnsOf(table), places, length: shown.length, gauges };
    return shown.map((group, place) => toNamedGroup(group, place, gauges, units));
  };
}

interface Summed {
  readonly columns: GaugeColumns;
  /** Row → the group's place, or -1. */
  readonly places: Int32Array;
  /** How many groups. */
  readonly length: number;
  readonly gauges: Gauges;
}

function placesOf(rows: GroupRows): Int32Array {
  const places = new Int32Array(rows.length).fill(-1);
  for (let row = 0; row < places.length; row++) {
    const group = rows[row];
    if (group) places[row] = (group.into ?? group).place;
  }
  return places;
}

/** @param before the same members in the same places */
function sumColumns(
  table: ProcessTable,
  places: Int32Array,
  length: number,
  before: Summed | undefined,
): Gauges {
  const changed = changedColumns(before?.columns, table);
  const keep = (
    name: keyof Gauges,
    columns: readonly (keyof GaugeColumns)[],
    sum: () => Float64Array,
  ): Float64Array =>
    before === undefined || columns.some((column) => changed.has(column)) ? sum() : before.gauges[name];
  const sumOf = (column: ArrayLike<number>, start: number): Float64Array => {
    const sums = new Float64Array(length).fill(start);
    for (let row = 0; row < places.length; row++) {
      const place = places[row] ?? -1;
      if (place !== -1) add(sums, place, column[row] ?? Number.NaN);
    }
    return sums;
  };
  return {
    processes: keep("processes", [], () => countPlaces(places, length)),
    threads: keep("threads", ["threads"], () => sumOf(table.threads, 0)),
    residentBytes: keep("residentBytes", ["residentBytes"], () => sumOf(table.residentBytes, 0)),
    virtualBytes: keep("virtualBytes", ["virtualBytes"], () => sumOf(table.virtualBytes, 0)),
    swapBytes: keep("swapBytes", ["swapBytes"], () => sumOf(table.swapBytes, Number.NaN)),
    openFiles: keep("openFiles", ["openFiles"], () => sumOf(table.openFiles, Number.NaN)),
    worstRatio: keep("worstRatio", ["openFiles", "openFilesLimit"], () => worstRatios(table, places, length)),
    oldestTicks: keep("oldestTicks", ["startTicks"], () => oldestTicks(table, places, length)),
    states: keep("states", ["state"], () => countStates(table, places, length)),
  };
}

function countPlaces(places: Int32Array, length: number): Float64Array {
  const counts = new Float64Array(length);
  for (const place of places) if (place !== -1) add(counts, place, 1);
  return counts;
}

function worstRatios({ openFiles, openFilesLimit }: ProcessTable, places: Int32Array, length: number) {
  const worst = new Float64Array(length).fill(Number.NaN);
  for (let row = 0; row < places.length; row++) {
    const place = places[row] ?? -1;
    const ratio = (openFiles[row] ?? Number.NaN) / (openFilesLimit[row] ?? Number.NaN);
    if (place !== -1 && !Number.isNaN(ratio) && !(ratio <= (worst[place] ?? 0))) worst[place] = ratio;
  }
  return worst;
}

function oldestTicks({ startTicks }: ProcessTable, places: Int32Array, length: number): Float64Array {
  const oldest = new Float64Array(length).fill(Number.NaN);
  for (let row = 0; row < places.length; row++) {
    const place = places[row] ?? -1;
    const ticks = startTicks[row] ?? 0;
    if (place !== -1 && !(ticks >= (oldest[place] ?? 0))) oldest[place] = ticks;
  }
  return oldest;
}

/** Group by group, each with a count for each of `groupStates`. */
function countStates(table: ProcessTable, places: Int32Array, length: number): Float64Array {
  const counts = new Float64Array(length * groupStates.length);
  for (let row = 0; row < places.length; row++) {
    const place = places[row] ?? -1;
    const state = stateOfLetter[table.state[row] ?? 0] ?? groupStates.length - 1;
    if (place !== -1) add(counts, place * groupStates.length + state, 1);
  }
  return counts;
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
