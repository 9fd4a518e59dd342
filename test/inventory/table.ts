import { createTracker, type Tracker } from "../../agent/inventory/tracker.ts";
import type { Container, KernelUnits, ProcessTable, Snapshot } from "../../agent/model.ts";

const units: KernelUnits = { bootSeconds: 1_700_000_000, ticksPerSecond: 100, pageBytes: 4096 };

/** One process as a test says it; what is left out is that of a sleeping process at rest. */
export interface TestProcess {
  readonly pid: number;
  readonly startTicks?: number;
  readonly parentPid?: number;
  readonly containerPid?: number;
  readonly state?: string;
  readonly flags?: number;
  readonly userId?: number;
  readonly name?: string;
  readonly command?: readonly string[] | null;
  /** A container's id; empty: the host's own. */
  readonly container?: string;
  readonly threads?: number;
  readonly userSeconds?: number;
  readonly residentBytes?: number;
  readonly readBytes?: number;
  readonly openFiles?: number;
  readonly openFilesLimit?: number;
}

export function makeTable(processes: readonly TestProcess[]): ProcessTable {
  const rows = [...processes].sort((a, b) => a.pid - b.pid);
  const figures = (pick: (row: TestProcess) => number): Float64Array => Float64Array.from(rows, pick);
  return {
    length: rows.length,
    pid: Int32Array.from(rows, (row) => row.pid),
    startTicks: figures((row) => row.startTicks ?? row.pid * 10),
    parentPid: Int32Array.from(rows, (row) => row.parentPid ?? 1),
    containerPid: Int32Array.from(rows, (row) => row.containerPid ?? 0),
    state: Uint8Array.from(rows, (row) => (row.state ?? "S").charCodeAt(0)),
    flags: Uint32Array.from(rows, (row) => row.flags ?? 0),
    userId: figures((row) => row.userId ?? 0),
    threads: Int32Array.from(rows, (row) => row.threads ?? 1),
    userSeconds: figures((row) => row.userSeconds ?? 0),
    systemSeconds: figures(() => 0),
    residentBytes: figures((row) => row.residentBytes ?? 4096),
    virtualBytes: figures(() => 8192),
    swapBytes: figures(() => 0),
    minorFaults: figures(() => 0),
    majorFaults: figures(() => 0),
    voluntarySwitches: figures(() => 0),
    involuntarySwitches: figures(() => 0),
    readBytes: figures((row) => row.readBytes ?? 0),
    writtenBytes: figures(() => 0),
    openFiles: figures((row) => row.openFiles ?? 3),
    openFilesLimit: figures((row) => row.openFilesLimit ?? 1024),
    name: rows.map((row) => row.name ?? `p${row.pid}`),
    command: rows.map((row) => (row.command === undefined ? [row.name ?? `p${row.pid}`] : row.command)),
    cgroup: rows.map((row) => row.container ?? ""),
  };
}

export function makeContainer(id: string, facts: Partial<Container> = {}): Container {
  return {
    id,
    runtime: "docker",
    name: id,
    image: "shop/web:3",
    labels: {},
    state: "running",
    initPid: null,
    createdAt: 1_700_000_400_000,
    startedAt: 1_700_000_500_000,
    health: null,
    restartCount: 0,
    exitCode: null,
    oomKilled: false,
    restartPolicy: "no",
    known: true,
    ...facts,
  };
}

/** A tracker in which the text of a process's cgroup is its container's id. */
export function makeTracker(containers: () => readonly Container[], maxPrograms = 1000): Tracker {
  return createTracker({
    resolve: (text) => {
      if (text === "") return undefined;
      const known = containers().find((container) => container.id === text);
      return {
        container:
          known ?? makeContainer(text, { name: null, known: false, runtime: null, state: "unknown" }),
      };
    },
    knownContainers: containers,
    units,
    maxPrograms,
  });
}

/** A snapshot of one scan. */
export function makeSnapshot(
  processes: readonly TestProcess[],
  containers: readonly Container[] = [],
): Snapshot {
  const scan = { table: makeTable(processes), problems: [] };
  return makeTracker(() => containers).advance(scan, {
    takenAt: 1_700_001_000_000,
    monotonicSeconds: 1000,
    scanSeconds: 0.01,
  });
}
