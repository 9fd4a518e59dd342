import { containerStates, exitReasons, type ProgramTotals, processStates } from "../model.ts";

/** `untyped` is what other exporters have where the kernel does not say: OpenMetrics calls it unknown. */
export type MetricType = "counter" | "gauge" | "histogram" | "untyped";

/** What every family is described by; the README's table is made from it. */
export interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** Label names besides those of the subject. */
  readonly labels: readonly string[];
}

/** One series of a family for one subject: the values of `labels`, and the figure; NaN leaves the series out. */
export interface Reading<Subject> {
  readonly values: readonly string[];
  readonly read: (subject: Subject) => number;
}

export interface SubjectFamily<Subject> extends Family {
  readonly readings: readonly Reading<Subject>[];
  /** What all figures are read from: while it is the same, so are they. The subject itself when left out. */
  readonly basis?: (subject: Subject) => unknown;
}

function one<S>(
  name: string,
  type: MetricType,
  help: string,
  read: (subject: S) => number,
): SubjectFamily<S> {
  return { name, type, help, labels: [], readings: [{ values: [], read }] };
}

function split<S>(
  name: string,
  type: MetricType,
  help: string,
  label: string,
  readings: Readonly<Record<string, (subject: S) => number>>,
  basis?: (subject: S) => unknown,
): SubjectFamily<S> {
  const list = Object.entries(readings).map(([value, read]) => ({ values: [value], read }));
  return { name, type, help, labels: [label], readings: list, ...(basis && { basis }) };
}

/** Labels of the families of a program. */
export const programLabels = ["container", "program"] as const;

/** Sums over the processes of a program; the container is empty for the host's own programs. */
export const programFamilies: readonly SubjectFamily<ProgramTotals>[] = [
  one("pidward_program_processes", "gauge", "Processes of the program.", (p) => p.processes),
  one("pidward_program_threads", "gauge", "Threads of the program's processes.", (p) => p.threads),
  split("pidward_program_cpu_seconds_total", "counter", "CPU time that the program used.", "mode", {
    user: (p) => p.userSeconds,
    system: (p) => p.systemSeconds,
  }),
  one(
    "pidward_program_resident_bytes",
    "gauge",
    "Memory in RAM; shared pages count for each process.",
    (p) => p.residentBytes,
  ),
  one("pidward_program_virtual_bytes", "gauge", "Size of the address spaces.", (p) => p.virtualBytes),
  one("pidward_program_swap_bytes", "gauge", "Memory swapped out.", (p) => p.swapBytes),
  one("pidward_program_open_files", "gauge", "Open file descriptors.", (p) => p.openFiles),
  one(
    "pidward_program_open_files_worst_ratio",
    "gauge",
    "Highest share of its soft limit of open files that a process uses, 0 to 1.",
    (p) => p.openFilesWorstRatio,
  ),
  one(
    "pidward_program_read_bytes_total",
    "counter",
    "Bytes fetched from the storage layer.",
    (p) => p.readBytes,
  ),
  one(
    "pidward_program_written_bytes_total",
    "counter",
    "Bytes sent to the storage layer.",
    (p) => p.writtenBytes,
  ),
  split(
    "pidward_program_context_switches_total",
    "counter",
    "Context switches; those of the main threads only with --source=procfs.",
    "kind",
    {
      voluntary: (p) => p.voluntarySwitches,
      involuntary: (p) => p.involuntarySwitches,
    },
  ),
  split(
    "pidward_program_page_faults_total",
    "counter",
    "Page faults; major ones had to read from a disk.",
    "kind",
    {
      minor: (p) => p.minorFaults,
      major: (p) => p.majorFaults,
    },
  ),
  split(
    "pidward_program_processes_by_state",
    "gauge",
    "Processes of the program in each state.",
    "state",
    Object.fromEntries(
      processStates.map((state, index) => [state, (p: ProgramTotals) => p.byState[index] ?? 0]),
    ),
    (p) => p.byState,
  ),
  one(
    "pidward_program_oldest_start_time_seconds",
    "gauge",
    "Start of the oldest process, in seconds since the epoch.",
    (p) => p.oldestStartSeconds,
  ),
  split(
    "pidward_program_exits_total",
    "counter",
    "Processes of the program that have ended, by how.",
    "reason",
    Object.fromEntries(
      exitReasons.map((reason, index) => [reason, (p: ProgramTotals) => p.exits[index] ?? 0]),
    ),
    (p) => p.exits,
  ),
  one(
    "pidward_program_starts_total",
    "counter",
    "Processes of the program that have started since the agent has.",
    (p) => p.starts,
  ),
];

/** A container as its families see it. */
export interface ContainerSubject {
  readonly state: string;
  readonly zombies: number;
  /** NaN for these: no engine tells, or there was no end yet. */
  readonly restarts: number;
  readonly exitCode: number;
  readonly oomKilled: number;
}

export const containerInfo: SubjectFamily<undefined> = {
  name: "pidward_container_info",
  type: "gauge",
  help: "Facts of the container, to join by its name; always 1.",
  labels: ["container", "container_id", "image", "runtime"],
  readings: [{ values: [], read: () => 1 }],
};

export const containerLabels = ["container"] as const;

export const containerFamilies: readonly SubjectFamily<ContainerSubject>[] = [
  split(
    "pidward_container_state",
    "gauge",
    "1 for the state that the container is in, 0 for the others.",
    "state",
    Object.fromEntries(
      containerStates.map((state) => [state, (c: ContainerSubject) => (c.state === state ? 1 : 0)]),
    ),
  ),
  one(
    "pidward_container_zombies",
    "gauge",
    "Processes that have ended and that nobody has reaped.",
    (c) => c.zombies,
  ),
  one(
    "pidward_container_restarts_total",
    "counter",
    "Restarts by the engine's restart policy since the container was made.",
    (c) => c.restarts,
  ),
  one(
    "pidward_container_last_exit_code",
    "gauge",
    "Exit code of a container that does not run, of its last run.",
    (c) => c.exitCode,
  ),
  one(
    "pidward_container_oom_killed",
    "gauge",
    "Whether the engine says that the OOM killer was at work in the container's last run.",
    (c) => c.oomKilled,
  ),
];

/** A series for each program of a process manager; one without a process has it too. */
export const managedProgramState: SubjectFamily<undefined> = {
  name: "pidward_managed_program_state",
  type: "gauge",
  help: "State of a process manager's program, in its own word and what that comes down to; always 1.",
  labels: ["container", "manager", "program", "state", "condition"],
  readings: [{ values: [], read: () => 1 }],
};

/** One process of the top ones. */
export interface ProcessSubject {
  readonly userSeconds: number;
  readonly systemSeconds: number;
  readonly residentBytes: number;
  readonly openFiles: number;
  readonly threads: number;
}

export const processLabels = ["pid", "container", "program", "name"] as const;

export const processFamilies: readonly SubjectFamily<ProcessSubject>[] = [
  split("pidward_process_cpu_seconds_total", "counter", "CPU time of one of the top processes.", "mode", {
    user: (p) => p.userSeconds,
    system: (p) => p.systemSeconds,
  }),
  one(
    "pidward_process_resident_bytes",
    "gauge",
    "Memory in RAM of one of the top processes.",
    (p) => p.residentBytes,
  ),
  one(
    "pidward_process_open_files",
    "gauge",
    "Open file descriptors of one of the top processes.",
    (p) => p.openFiles,
  ),
  one("pidward_process_threads", "gauge", "Threads of one of the top processes.", (p) => p.threads),
];

export const programsFolded: Family = {
  name: "pidward_programs_folded",
  type: "gauge",
  help: 'Programs summed into program="other" of container="other" because of --metrics.max-series.',
  labels: [],
};

export const seriesDropped: Family = {
  name: "pidward_series_dropped",
  type: "gauge",
  help: "Series left out of this scrape because of --metrics.max-series.",
  labels: [],
};

/** How many series one subject can have at most. */
export function seriesPerSubject(families: readonly SubjectFamily<never>[]): number {
  return families.reduce((sum, family) => sum + family.readings.length, 0);
}
