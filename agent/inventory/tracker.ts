import type {
  Container,
  ExitReason,
  KernelUnits,
  Problem,
  ProcessTable,
  ProgramTotals,
  Snapshot,
  Usage,
} from "../model.ts";
import type { Scan, TableChanges } from "../source/process-source.ts";
import { createCpuRates } from "./cpu-rates.ts";
import { type Advance, type CounterFigures, createCounters } from "./life-counters.ts";
import type { ManagedPrograms } from "./managed-programs.ts";
import { createProgramSums } from "./program-sums.ts";
import { createProgramNamer } from "./programs.ts";
import { createRowByPid } from "./row-by-pid.ts";
import { createSameArray } from "./same-array.ts";

/** Gives the container of a process by the text of its /proc/PID/cgroup; see containers/resolver.ts. */
export type ResolveContainer = (cgroupText: string) => { readonly container: Container } | undefined;

export interface TrackerParts {
  readonly resolve: ResolveContainer;
  /** All that the runtimes know, stopped ones included. */
  readonly knownContainers: () => readonly Container[];
  readonly units: KernelUnits;
  /** What process managers say; undefined where there are none to ask. */
  readonly managed?: Pick<ManagedPrograms, "nameRows" | "states"> | undefined;
  /** How many programs are kept apart; what is beyond is summed into `other` of its container. */
  readonly maxPrograms: number;
  /** Sums processes in another way than by program. */
  readonly observer?: ScanObserver | undefined;
}

/** A scan joined with those before it. */
export interface ObservedScan {
  readonly table: ProcessTable;
  readonly rowByPid: Snapshot["rowByPid"];
  readonly containers: readonly Container[];
  readonly containerOf: Int32Array;
  readonly advance: Advance;
  /** Since the scan that was observed before; undefined where that is not known. */
  readonly changes: TableChanges | undefined;
  readonly problems: readonly Problem[];
  readonly takenAt: number;
}

export interface ScanObserver {
  observe(scan: ObservedScan): void;
  /** @param added what the process used beyond what scans have seen */
  ended(pid: number, startTicks: number, added: CounterFigures): void;
}

/** When a scan was made: milliseconds since the epoch, and seconds of a clock that never goes back. */
export interface ScanTime {
  readonly takenAt: number;
  readonly monotonicSeconds: number;
  readonly scanSeconds: number;
}

/** Joins scans: who each process belongs to, what it used since the last scan, and sums that never fall. */
export interface Tracker {
  advance(scan: Scan, time: ScanTime): Snapshot;
  /** Books the end of a process: what it used beyond what scans have seen, and its exit. */
  ended(process: EndedProcess, nowMs: number): void;
}

/** A process that has ended, and whose it was. */
export interface EndedProcess {
  readonly pid: number;
  /** Null: the source does not know, so nothing is added to what scans have seen. */
  readonly startTicks: number | null;
  readonly container: Container | null;
  readonly program: string;
  readonly reason: ExitReason;
  readonly usage: Usage | null;
  /** Whether a scan has seen it. */
  readonly wasSeen: boolean;
}

export function createTracker(parts: TrackerParts): Tracker {
  const counters = createCounters();
  const namer = createProgramNamer();
  const sums = createProgramSums(parts.units, parts.maxPrograms);
  const rates = createCpuRates();
  const keepContainerOf = createSameArray<Int32Array>();
  /** The table that all parts have seen last. */
  let last: ProcessTable | undefined;
  return {
    advance: (scan, time) => {
      const { table } = scan;
      // Not of another table: a scan whose joining failed has been seen by some parts only.
      const changes = scan.changes?.since === last ? scan.changes : undefined;
      last = undefined;
      const rowByPid = createRowByPid(table);
      const { containers, containerOf: assigned } = assignContainers(table, parts);
      const containerOf = keepContainerOf(assigned);
      const context = { table, rowByPid, containerOf, containers };
      const { names } = namer.name(context, parts.managed?.nameRows(context));
      const advance = counters.advance(table, changes);
      const cpuCores = rates.advance(table, time.monotonicSeconds, changes);
      const { programs, programOf } = sums.advance({
        table,
        containers,
        containerOf,
        names,
        advance,
        changes,
        cpuCores,
        nowMs: time.takenAt,
      });
      const { takenAt } = time;
      const { problems } = scan;
      parts.observer?.observe({
        table,
        rowByPid,
        containers,
        containerOf,
        advance,
        changes,
        problems,
        takenAt,
      });
      last = table;
      return Object.freeze({
        takenAt,
        scanSeconds: time.scanSeconds,
        table,
        rowByPid,
        cpuCores,
        containerOf,
        programOf,
        containers,
        programs: programs satisfies readonly ProgramTotals[],
        managed: parts.managed?.states(containers) ?? [],
        problems,
      });
    },
    ended: ({ pid, startTicks, container, program, reason, usage, wasSeen }, nowMs) => {
      const { added, known } =
        startTicks === null ? { added: [], known: wasSeen } : counters.settle(pid, startTicks, usage);
      if (startTicks !== null) parts.observer?.ended(pid, startTicks, added);
      const isNew = !known && !wasSeen;
      sums.ended({ containerId: container?.id ?? "", program, reason, added, isNew }, nowMs);
    },
  };
}

/** The known containers first, in the runtimes' order, then those that only a path hints at. */
function assignContainers(table: ProcessTable, parts: TrackerParts) {
  const containers: Container[] = [...parts.knownContainers()];
  const indexById = new Map(containers.map((container, index) => [container.id, index]));
  const containerOf = new Int32Array(table.length).fill(-1);
  const indexOf = (cgroup: string): number => {
    const container = parts.resolve(cgroup)?.container;
    if (container === undefined) return -1;
    const known = indexById.get(container.id);
    if (known !== undefined) return known;
    const index = containers.push(container) - 1;
    indexById.set(container.id, index);
    return index;
  };
  // Neighbours by PID are often of one cgroup.
  let last = "";
  let index = indexOf(last);
  for (let row = 0; row < table.length; row++) {
    const cgroup = table.cgroup[row] ?? "";
    if (cgroup !== last) {
      last = cgroup;
      index = indexOf(cgroup);
    }
    containerOf[row] = index;
  }
  return { containers, containerOf };
}
