import { counterColumns, exitReasons, type ProgramTotals } from "../model.ts";
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

/** One program of one container, with its sums. */
export interface Program {
  readonly containerId: string;
  readonly name: string;
  /** In the order of `counterColumns`; other than CPU time NaN until a member's figure could be read. */
  readonly counters: Float64Array;
  readonly gauges: ProgramGauges;
  /** In the order of `exitReasons`. */
  readonly exits: number[];
  starts: number;
  lastSeenMs: number;
  /** Rows of its members in the last scan. */
  readonly rows: number[];
  /** Whether the gauges are to be summed anew. */
  isStale: boolean;
  /** As it is shown; undefined: something has changed since. */
  totals: ProgramTotals | undefined;
  /** As it was shown last. */
  shown: ProgramTotals | undefined;
  /** Index in the last scan's programs; -1: it is not shown. */
  index: number;
}

/** The programs by container and name. Their number is bounded: names come from containers, which could make up endless ones. */
export interface ProgramTable {
  /** The program, made when it is not there; beyond the bound the container's `other`. */
  get(containerId: string, name: string, nowMs: number): Program;
  /** Those of a container stand together. The array is another one when one has come or gone. */
  all(): readonly Program[];
  /** Forgets programs without processes that were not seen for long. @param present ids of containers that are there */
  sweep(present: ReadonlyMap<string, unknown>, nowMs: number): void;
}

export function createProgramTable(maxPrograms: number): ProgramTable {
  const byContainer = new Map<string, Map<string, Program>>();
  let count = 0;
  let all: readonly Program[] | undefined;
  const get = (containerId: string, name: string, nowMs: number): Program => {
    let own = byContainer.get(containerId);
    if (own === undefined) {
      own = new Map();
      byContainer.set(containerId, own);
    }
    const found = own.get(name);
    if (found !== undefined) return found;
    if (count >= maxPrograms && name !== otherProgram) return get(containerId, otherProgram, nowMs);
    const made = newProgram(containerId, name, nowMs);
    own.set(name, made);
    count++;
    all = undefined;
    return made;
  };
  const list = (): readonly Program[] => {
    all ??= [...byContainer.values()].flatMap((own) => [...own.values()]);
    return all;
  };
  return {
    get,
    all: list,
    sweep: (present, nowMs) => {
      for (const { containerId, name, gauges, lastSeenMs } of list()) {
        if (gauges.processes > 0) continue;
        const keptMs = present.has(containerId) ? forgetAfterMs : awaitContainerMs;
        if (nowMs - lastSeenMs <= keptMs && !isStarting(name)) continue;
        const own = byContainer.get(containerId);
        own?.delete(name);
        if (own?.size === 0) byContainer.delete(containerId);
        count--;
        all = undefined;
      }
    },
  };
}

function newProgram(containerId: string, name: string, nowMs: number): Program {
  return {
    containerId,
    name,
    // CPU time can always be read.
    counters: Float64Array.from(counterColumns, (column) => (column.endsWith("Seconds") ? 0 : Number.NaN)),
    gauges: createGauges(),
    exits: exitReasons.map(() => 0),
    starts: 0,
    lastSeenMs: nowMs,
    rows: [],
    isStale: true,
    totals: undefined,
    shown: undefined,
    index: -1,
  };
}
