import type { GroupCounters, NamedGroup, NamedGroups, NamedThread } from "../../named-groups.ts";
import type { Family, MetricType } from "../families.ts";

// The families of ncabatoff/process-exporter, with its names, types, labels and words. The labels stand in its order.

/** One series for a subject: the values of the last labels, and the figure; NaN leaves the series out. */
export interface Reading<S> {
  readonly values: readonly string[];
  readonly read: (subject: S) => number;
}

interface ReadFamily<S> {
  readonly family: Family;
  readonly readings: readonly Reading<S>[];
}

const ofGroup = ["groupname"];
const ofThread = ["groupname", "threadname"];

function family(name: string, type: MetricType, help: string, labels: readonly string[]): Family {
  return { name: `namedprocess_${name}`, type, help, labels };
}

function one<S>(of: Family, read: (subject: S) => number): ReadFamily<S> {
  return { family: of, readings: [{ values: [], read }] };
}

function split<S>(of: Family, readings: Readonly<Record<string, (subject: S) => number>>): ReadFamily<S> {
  return {
    family: of,
    readings: Object.entries(readings).map(([value, read]) => ({ values: [value], read })),
  };
}

/** `swapped` and the rest come from the scan, `proportionalResident` and `proportionalSwapped` from smaps_rollup. */
export const memoryBytes = family("namegroup_memory_bytes", "gauge", "number of bytes of memory in use", [
  ...ofGroup,
  "memtype",
]);

const switches = {
  voluntary: (c: GroupCounters) => c.voluntarySwitches,
  nonvoluntary: (c: GroupCounters) => c.involuntarySwitches,
};
const cpu = { user: (c: GroupCounters) => c.userSeconds, system: (c: GroupCounters) => c.systemSeconds };

export const groupFamilies: readonly ReadFamily<NamedGroup>[] = [
  one(
    family("namegroup_num_procs", "gauge", "number of processes in this group", ofGroup),
    (g) => g.processes,
  ),
  split(
    family("namegroup_cpu_seconds_total", "counter", "Cpu user usage in seconds", [...ofGroup, "mode"]),
    cpu,
  ),
  one(
    family("namegroup_read_bytes_total", "counter", "number of bytes read by this group", ofGroup),
    (g) => g.readBytes,
  ),
  one(
    family("namegroup_write_bytes_total", "counter", "number of bytes written by this group", ofGroup),
    (g) => g.writtenBytes,
  ),
  one(
    family("namegroup_major_page_faults_total", "counter", "Major page faults", ofGroup),
    (g) => g.majorFaults,
  ),
  one(
    family("namegroup_minor_page_faults_total", "counter", "Minor page faults", ofGroup),
    (g) => g.minorFaults,
  ),
  split(
    family("namegroup_context_switches_total", "counter", "Context switches", [...ofGroup, "ctxswitchtype"]),
    switches,
  ),
  split(memoryBytes, {
    resident: (g) => g.residentBytes,
    virtual: (g) => g.virtualBytes,
    swapped: (g) => g.swapBytes,
  }),
  one(
    family("namegroup_open_filedesc", "gauge", "number of open file descriptors for this group", ofGroup),
    (g) => g.openFiles,
  ),
  one(
    family(
      "namegroup_worst_fd_ratio",
      "gauge",
      "the worst (closest to 1) ratio between open fds and max fds among all procs in this group",
      ofGroup,
    ),
    (g) => g.openFilesWorstRatio,
  ),
  one(
    family(
      "namegroup_oldest_start_time_seconds",
      "gauge",
      "start time in seconds since 1970/01/01 of oldest process in group",
      ofGroup,
    ),
    (g) => g.oldestStartSeconds,
  ),
  one(family("namegroup_num_threads", "gauge", "Number of threads", ofGroup), (g) => g.threads),
];

export const stateFamily = family(
  "namegroup_states",
  "gauge",
  "Number of processes in states Running, Sleeping, Waiting, Zombie, or Other",
  [...ofGroup, "state"],
);

export const waitFamily = family(
  "namegroup_threads_wchan",
  "gauge",
  "Number of threads in this group waiting on each wchan",
  [...ofGroup, "wchan"],
);

export const threadFamilies: readonly ReadFamily<NamedThread>[] = [
  one(
    family(
      "namegroup_thread_count",
      "gauge",
      "Number of threads in this group with same threadname",
      ofThread,
    ),
    (t) => t.count,
  ),
  split(
    family("namegroup_thread_cpu_seconds_total", "counter", "Cpu user/system usage in seconds", [
      ...ofThread,
      "mode",
    ]),
    cpu,
  ),
  split(
    family("namegroup_thread_io_bytes_total", "counter", "number of bytes read/written by these threads", [
      ...ofThread,
      "iomode",
    ]),
    { read: (t) => t.readBytes, write: (t) => t.writtenBytes },
  ),
  one(
    family(
      "namegroup_thread_major_page_faults_total",
      "counter",
      "Major page faults for these threads",
      ofThread,
    ),
    (t) => t.majorFaults,
  ),
  one(
    family(
      "namegroup_thread_minor_page_faults_total",
      "counter",
      "Minor page faults for these threads",
      ofThread,
    ),
    (t) => t.minorFaults,
  ),
  split(
    family("namegroup_thread_context_switches_total", "counter", "Context switches for these threads", [
      ...ofThread,
      "ctxswitchtype",
    ]),
    switches,
  ),
];

export const errorFamilies: readonly { family: Family; read: (sums: NamedGroups) => number }[] = [
  {
    family: family(
      "scrape_errors",
      "counter",
      "general scrape errors: no proc metrics collected during a cycle",
      [],
    ),
    read: (sums) => sums.scanErrors,
  },
  {
    family: family(
      "scrape_procread_errors",
      "counter",
      "incremented each time a proc's metrics collection fails",
      [],
    ),
    read: (sums) => sums.readErrors,
  },
  {
    family: family(
      "scrape_partial_errors",
      "counter",
      "incremented each time a tracked proc's metrics collection fails partially, e.g. unreadable I/O stats",
      [],
    ),
    read: (sums) => sums.partialErrors,
  },
];

/** With its labels, so that queries by them work; pidward is no Go program, so most are empty. */
export const buildInfo: Family = {
  name: "process_exporter_build_info",
  type: "gauge",
  help: "A metric with a constant '1' value: the version of pidward, which has taken process_exporter's place.",
  labels: ["branch", "goarch", "goos", "goversion", "revision", "version"],
};

export const otherGroups: Family = {
  name: "pidward_namedprocess_other_groups",
  type: "gauge",
  help: 'Groups of processes that are summed into groupname="other", since there are too many.',
  labels: [],
};

/** Most series that one group can have without its threads. */
export const seriesOfGroup = groupFamilies.reduce((sum, { readings }) => sum + readings.length, 0) + 5 + 2;
