import type { MetricType } from "../../families.ts";
import { type CgroupFamily, figure, figures } from "./cgroup-family.ts";
import type { CgroupSubject } from "./cgroup-subjects.ts";

type Memory = NonNullable<CgroupSubject["memory"]>;
type Row = readonly [name: string, type: MetricType, help: string, read: (memory: Memory) => number];

const rows: readonly Row[] = [
  ["container_memory_cache", "gauge", "Number of bytes of page cache memory.", (m) => m.cacheBytes],
  ["container_memory_rss", "gauge", "Size of RSS in bytes.", (m) => m.residentBytes],
  [
    "container_memory_kernel_usage",
    "gauge",
    "Size of kernel memory allocated in bytes.",
    (m) => m.kernelBytes,
  ],
  [
    "container_memory_mapped_file",
    "gauge",
    "Size of memory mapped files in bytes.",
    (m) => m.mappedFileBytes,
  ],
  ["container_memory_swap", "gauge", "Container swap usage in bytes.", (m) => m.swapBytes],
  ["container_memory_failcnt", "counter", "Number of memory usage hits limits", (m) => m.failures],
  [
    "container_memory_usage_bytes",
    "gauge",
    "Current memory usage in bytes, including all memory regardless of when it was accessed",
    (m) => m.usageBytes,
  ],
  [
    "container_memory_max_usage_bytes",
    "gauge",
    "Maximum memory usage recorded in bytes",
    (m) => m.maxUsageBytes,
  ],
  ["container_memory_working_set_bytes", "gauge", "Current working set in bytes.", (m) => m.workingSetBytes],
  [
    "container_memory_total_active_file_bytes",
    "gauge",
    "Current total active file in bytes.",
    (m) => m.activeFileBytes,
  ],
  [
    "container_memory_total_inactive_file_bytes",
    "gauge",
    "Current total inactive file in bytes.",
    (m) => m.inactiveFileBytes,
  ],
  [
    "container_memory_events_high_total",
    "counter",
    "Cumulative count of memory.high throttle events for the container",
    (m) => m.highEvents,
  ],
  [
    "container_memory_events_max_total",
    "counter",
    "Cumulative count of memory.max limit hit events for the container",
    (m) => m.maxEvents,
  ],
  [
    "container_memory_file_dirty_bytes",
    "gauge",
    "Number of bytes of file cache that has been modified but not yet written back to disk.",
    (m) => m.fileDirtyBytes,
  ],
  [
    "container_memory_file_writeback_bytes",
    "gauge",
    "Number of bytes of file cache that is currently being written back to disk.",
    (m) => m.fileWritebackBytes,
  ],
  [
    "container_memory_pgscan_total",
    "counter",
    "Cumulative number of pages scanned by the page reclaim algorithm.",
    (m) => m.scannedPages,
  ],
  [
    "container_memory_pgsteal_total",
    "counter",
    "Cumulative number of pages reclaimed by the page reclaim algorithm.",
    (m) => m.stolenPages,
  ],
  [
    "container_memory_workingset_refault_file_total",
    "counter",
    "Cumulative number of refaults of previously evicted file pages.",
    (m) => m.refaultedFilePages,
  ],
  [
    "container_memory_workingset_refault_anon_total",
    "counter",
    "Cumulative number of refaults of previously evicted anonymous pages.",
    (m) => m.refaultedAnonPages,
  ],
];

export const memoryFamilies: readonly CgroupFamily[] = [
  ...rows.map(([name, type, help, read]) =>
    figure(name, type, help, ({ memory }) => (memory === undefined ? undefined : read(memory))),
  ),
  figures(
    "container_memory_failures_total",
    "counter",
    "Cumulative count of memory allocation failures.",
    ["failure_type", "scope"],
    ({ memory }) =>
      memory === undefined
        ? []
        : [
            [["pgfault", "container"], memory.faults],
            [["pgmajfault", "container"], memory.majorFaults],
            [["pgfault", "hierarchy"], memory.allFaults],
            [["pgmajfault", "hierarchy"], memory.allMajorFaults],
          ],
  ),
];
