import {
  type Container,
  type KernelUnits,
  type ProcessTable,
  type ProgramTotals,
  processState,
  processStates,
  startedAtMs,
} from "../model.ts";
import { type CounterColumn, counterColumns, type LifeCounters } from "./life-counters.ts";

/** Where programs beyond the bound are summed. */
const otherProgram = "other";

/** How long the counters of a program without processes are kept while its container is there. */
const forgetAfterMs = 15 * 60_000;

export interface SumsInput {
  readonly table: ProcessTable;
  readonly containers: readonly Container[];
  readonly containerOf: Int32Array;
  /** Row → program. */
  readonly names: readonly string[];
  readonly used: LifeCounters;
  readonly cpuCores: Float64Array;
  readonly nowMs: number;
}

export interface ProgramSums {
  readonly programs: readonly ProgramTotals[];
  readonly programOf: Int32Array;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Gauges = Mutable<Omit<ProgramTotals, CounterColumn | "name" | "container" | "byState">> & {
  byState: number[];
};

interface Group {
  readonly containerId: string;
  readonly name: string;
  readonly counters: Record<CounterColumn, number>;
  gauges: Gauges;
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
): { advance(input: SumsInput): ProgramSums } {
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
    const made = {
      containerId,
      name,
      counters: noCounters(),
      gauges: noGauges(),
      lastSeenMs: nowMs,
      index: -1,
    };
    own.set(name, made);
    count++;
    return made;
  };

  const forget = (input: SumsInput): void => {
    const present = new Set(["", ...input.containers.map((container) => container.id)]);
    for (const [containerId, own] of groups) {
      for (const [name, group] of own) {
        const idle = group.gauges.processes === 0;
        if (idle && (!present.has(containerId) || input.nowMs - group.lastSeenMs > forgetAfterMs)) {
          own.delete(name);
          count--;
        }
      }
      if (own.size === 0) groups.delete(containerId);
    }
  };

  return {
    advance: (input) => {
      for (const own of groups.values()) {
        for (const group of own.values()) group.gauges = noGauges();
      }
      const members: Group[] = [];
      for (let row = 0; row < input.table.length; row++) {
        const container = input.containers[input.containerOf[row] ?? -1];
        const group = groupOf(container?.id ?? "", input.names[row] ?? "", input.nowMs);
        group.lastSeenMs = input.nowMs;
        addRow(group, row, input, units);
        members.push(group);
      }
      forget(input);
      const indexOfContainer = new Map(input.containers.map((container, index) => [container.id, index]));
      const programs = [...groups.values()]
        .flatMap((own) => [...own.values()])
        .map((group, index): ProgramTotals => {
          group.index = index;
          return {
            ...group.gauges,
            ...group.counters,
            // Sums of ticks as binary fractions: without rounding 0.1 + 0.2 s would read 0.30000000000000004.
            userSeconds: Math.round(group.counters.userSeconds * 1e6) / 1e6,
            systemSeconds: Math.round(group.counters.systemSeconds * 1e6) / 1e6,
            name: group.name,
            container: indexOfContainer.get(group.containerId) ?? -1,
          };
        });
      return { programs, programOf: Int32Array.from(members, (group) => group.index) };
    },
  };
}

function addRow(group: Group, row: number, input: SumsInput, units: KernelUnits): void {
  const { table } = input;
  const { gauges } = group;
  gauges.processes++;
  gauges.threads += table.threads[row] ?? 0;
  gauges.residentBytes += table.residentBytes[row] ?? 0;
  gauges.virtualBytes += table.virtualBytes[row] ?? 0;
  gauges.swapBytes = plus(gauges.swapBytes, table.swapBytes[row]);
  gauges.openFiles = plus(gauges.openFiles, table.openFiles[row]);
  const cores = input.cpuCores[row] ?? Number.NaN;
  if (!Number.isNaN(cores)) gauges.cpuCores += cores;
  const ratio = (table.openFiles[row] ?? Number.NaN) / (table.openFilesLimit[row] ?? Number.NaN);
  if (!(ratio <= gauges.openFilesWorstRatio) && !Number.isNaN(ratio)) gauges.openFilesWorstRatio = ratio;
  const state = processStates.indexOf(processState(table.state[row] ?? 0));
  gauges.byState[state] = (gauges.byState[state] ?? 0) + 1;
  const started = startedAtMs(table.startTicks[row] ?? 0, units) / 1000;
  if (!(started >= gauges.oldestStartSeconds)) gauges.oldestStartSeconds = started;
  for (const column of counterColumns) {
    const readable = !Number.isNaN(table[column][row] ?? Number.NaN);
    if (readable) group.counters[column] = plus(group.counters[column], input.used.delta(row, column));
  }
}

/** NaN stands for "none readable yet": it gives way to the first figure. */
function plus(sum: number, figure: number | undefined): number {
  if (figure === undefined || Number.isNaN(figure)) return sum;
  return Number.isNaN(sum) ? figure : sum + figure;
}

function noCounters(): Record<CounterColumn, number> {
  return {
    userSeconds: 0,
    systemSeconds: 0,
    readBytes: Number.NaN,
    writtenBytes: Number.NaN,
    voluntarySwitches: Number.NaN,
    involuntarySwitches: Number.NaN,
    minorFaults: Number.NaN,
    majorFaults: Number.NaN,
  };
}

function noGauges(): Gauges {
  return {
    processes: 0,
    threads: 0,
    cpuCores: 0,
    residentBytes: 0,
    virtualBytes: 0,
    swapBytes: Number.NaN,
    openFiles: Number.NaN,
    openFilesWorstRatio: Number.NaN,
    byState: processStates.map(() => 0),
    oldestStartSeconds: Number.NaN,
  };
}
