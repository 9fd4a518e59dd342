/** What inventory tells of groups of processes and metrics shows as `namedprocess_*`. Only shapes: no behaviour. */

import type { Usage } from "./model.ts";

/** The states that process-exporter tells apart: `Waiting` is D, `Other` all that is not R, S, D or Z. */
export const groupStates = ["Running", "Sleeping", "Waiting", "Zombie", "Other"] as const;

/** Index into `groupStates` by the character code of the kernel's state letter. */
export function groupStateOf(letter: number): number {
  const at = "RSDZ".indexOf(String.fromCharCode(letter));
  return at === -1 ? groupStates.length - 1 : at;
}

/** Counters since the agent's first scan; NaN while no member's figure could be read. */
export type GroupCounters = Usage;

/** The sums of one group. Gauges are 0 without members, and NaN where no member's figure could be read. */
export interface NamedGroup extends GroupCounters {
  readonly name: string;
  readonly processes: number;
  readonly threads: number;
  readonly residentBytes: number;
  readonly virtualBytes: number;
  readonly swapBytes: number;
  readonly openFiles: number;
  /** Highest share of its soft limit of open files that a member uses. */
  readonly openFilesWorstRatio: number;
  /** Whole seconds since the epoch; NaN without members. */
  readonly oldestStartSeconds: number;
  /** Members in each of `groupStates`. */
  readonly states: readonly number[];
}

export interface NamedGroups {
  readonly groups: readonly NamedGroup[];
  /** Groups that are there now and summed into `other`, since there are too many. */
  readonly otherGroups: number;
  /** Scans that failed; processes that could not be read; members of which some figures could not be, at each look. */
  readonly scanErrors: number;
  readonly readErrors: number;
  readonly partialErrors: number;
}

/** The threads of one name in a group. */
export interface NamedThread extends GroupCounters {
  readonly name: string;
  readonly count: number;
}

/** What single threads tell of a group: those of members with several. */
export interface ThreadGroup {
  readonly name: string;
  readonly threads: readonly NamedThread[];
  /** Threads in each of `groupStates`. */
  readonly states: readonly number[];
  /** Function of the kernel → how many processes and threads wait in it. */
  readonly waits: ReadonlyMap<string, number>;
}

/** Memory of a group with shared pages divided among those who share them (`Pss` of smaps_rollup). */
export interface ProportionalMemory {
  readonly name: string;
  readonly residentBytes: number;
  readonly swappedBytes: number;
}
