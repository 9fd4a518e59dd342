/** What namedprocess_* of pidward does otherwise than process-exporter 0.7.10, and why: the README's list is made of it. */
export interface Difference {
  readonly what: string;
  readonly reason: string;
}

/** Families that only one of them has. */
export const ownFamilies = ["pidward_namedprocess_other_groups"] as const;

/** How far figures of one process at rest may be apart. */
export const tolerances: Readonly<Record<string, (theirs: number) => number>> = {
  // It reads ticks of 10 ms, pidward nanoseconds where BPF tells them; user and system are each rounded.
  namedprocess_namegroup_cpu_seconds_total: () => 0.035,
  // The kernel keeps the size of memory by CPU and sums it up roughly when asked.
  namedprocess_namegroup_memory_bytes: (theirs) => 512 * 1024 + theirs * 0.02,
  // A process at rest still wakes up when it is asked to burn, and the two look at different moments.
  namedprocess_namegroup_context_switches_total: (theirs) => 10 + theirs * 0.5,
  namedprocess_namegroup_minor_page_faults_total: (theirs) => 20 + theirs * 0.02,
};

export const differences: readonly Difference[] = [
  {
    what: "`states` counts processes, not their threads, unless `namedprocess.threads` is on",
    reason:
      "process-exporter counts a process and each of its threads, with `-threads=false` too, and reading every thread is most of what it costs",
  },
  {
    what: "`threads_wchan` is there only with `namedprocess.threads`",
    reason: "it is a file for each process and thread at each scrape",
  },
  {
    what: "`oldest_start_time_seconds` of a group without members is left out",
    reason: "process-exporter has -62135596800, the year 1: an uptime of two thousand years",
  },
  {
    what: "figures that nobody may read are left out",
    reason: "process-exporter has 0, which would be a measurement",
  },
  {
    what: "`context_switches_total` has those of all threads with the BPF source",
    reason: "with `-threads=false` the main thread's would be a part of the truth",
  },
  {
    what: "a counter does not fall when a thread ends",
    reason: "process-exporter takes the sum of living threads and wraps around",
  },
  {
    what: "counters have what a process used up to its end",
    reason:
      "the kernel tells it; process-exporter has what its last scrape saw. Processes that no scan has seen are in no group with both: their command line is not known any more (`pidward_program_*` has them)",
  },
  {
    what: "a process is named when it is 300 ms old, or ends, and anew when it becomes another program within ten seconds",
    reason: "a scan a second would meet many as the shell that is about to start them",
  },
  {
    what: "groups beyond the bound (`--metrics.max-series`) are summed into `other`, and those empty for a quarter of an hour make room",
    reason:
      "processes that make up names must not make endless series; `pidward_namedprocess_other_groups` tells how many there are",
  },
  {
    what: "an argument list is matched up to 8 KiB, a name is cut at 512 characters and threads are read up to 30,000",
    reason: "what containers can make long has to have an end",
  },
  {
    what: "a field or construct of templates that is not understood is refused at the start",
    reason: "process-exporter cuts the name there and says nothing",
  },
  { what: "`process_exporter_build_info` has pidward's version", reason: "it is the exporter that answers" },
];
