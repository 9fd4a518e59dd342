/** A difference to node_exporter that is meant. */
export interface Difference {
  /** Who has the series; `both`: both have it with values that do not compare; `either`: its labels differ. */
  readonly who: "pidward" | "node_exporter" | "both" | "either";
  /** Matches `name{label="value",…}` with the labels in the order of the alphabet. */
  readonly series: RegExp;
  readonly reason: string;
}

/** All that differs from Debian's node_exporter 1.5.0, whose names, labels and help texts are followed. */
export const nodeDifferences: readonly Difference[] = [
  {
    who: "either",
    series: /^node_exporter_build_info\{/,
    reason: "it says which release is followed, and by whom",
  },
  {
    who: "both",
    series: /^node_scrape_collector_duration_seconds\{/,
    reason: "how long each takes is its own",
  },
  {
    who: "both",
    series: /^node_scrape_collector_success\{collector="(arp|conntrack|pressure|schedstat|udp_queues)"\}/,
    reason: "where the kernel does without the subject there is nothing that failed: 1 instead of 0",
  },
  {
    who: "pidward",
    series: /^node_softnet_(cpu_collision_total|received_rps_total|flow_limit_count_total|backlog_len)\{/,
    reason: "node_exporter has them since 1.6, and dashboards show them",
  },
  {
    who: "pidward",
    series: /^node_pressure_irq_stalled_seconds_total\{\}/,
    reason: "node_exporter has it since 1.9, and dashboards show it",
  },
  {
    who: "pidward",
    series: /^node_os_support_end_timestamp_seconds\{\}/,
    reason: "node_exporter has it since 1.6",
  },
  {
    who: "either",
    series: /^node_disk_info\{device="vd[a-z]+"/,
    reason: "node_exporter knows virtio disks' serial numbers in later releases",
  },
  {
    who: "pidward",
    series: /^node_udp_queues\{ip="v6"/,
    reason: "the other fails as a whole where one of the two files is missing",
  },
];

/** How far a gauge may be beside what pidward said before and after; counters have to lie between the two. */
export interface Tolerance {
  readonly series: RegExp;
  /** Share of the larger figure. */
  readonly relative?: number;
  readonly absolute?: number;
  readonly reason: string;
}

export const nodeTolerances: readonly Tolerance[] = [
  {
    series: /^node_memory_/,
    relative: 0.02,
    absolute: 64 << 20,
    reason: "memory is taken and given back at any time",
  },
  {
    series: /^node_filesystem_(avail|free)_bytes/,
    relative: 0.01,
    absolute: 64 << 20,
    reason: "files are written at any time",
  },
  { series: /^node_filesystem_files_free/, relative: 0.01, reason: "files are made at any time" },
  { series: /^node_load\d+/, absolute: 0.5, reason: "the kernel makes it anew every five seconds" },
  {
    series: /^node_(procs_(running|blocked)|processes_(state|threads|threads_state|pids))\b/,
    absolute: 20,
    reason: "processes start and sleep at any time",
  },
  {
    series: /^node_(filefd_allocated|sockstat_\w+|netstat_Tcp_CurrEstab|nf_conntrack_entries)\b/,
    relative: 0.1,
    absolute: 50,
    reason: "files and sockets are opened and closed at any time",
  },
  { series: /^node_(disk_io_now|arp_entries|udp_queues)\b/, absolute: 20, reason: "a moment's figure" },
  {
    series: /^node_cpu_seconds_total\{cpu="\d+",mode="(idle|iowait)"\}/,
    absolute: 0.1,
    reason: "what the kernel says of them can fall",
  },
  {
    series: /^node_timex_(offset|pps_jitter)_seconds|^node_timex_(max|estimated_)error/,
    absolute: 0.01,
    reason: "the clock is disciplined meanwhile",
  },
];
