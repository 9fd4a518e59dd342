import type { Snapshot } from "../../../model.ts";
import type { Collector } from "../../samples.ts";
import { type CgroupFamily, figure, figures, sampleAll } from "./cgroup-family.ts";
import type { CgroupSubjects } from "./cgroup-subjects.ts";

const families: readonly CgroupFamily[] = [
  figure(
    "container_processes",
    "gauge",
    "Number of processes running inside the container.",
    ({ processes }) => processes?.processes,
  ),
  figure(
    "container_file_descriptors",
    "gauge",
    "Number of open file descriptors for the container.",
    ({ processes }) => processes?.openFiles,
  ),
  figure(
    "container_threads_max",
    "gauge",
    "Maximum number of threads allowed inside the container, infinity if value is zero",
    ({ limits }) => limits?.pids,
  ),
  figure(
    "container_threads",
    "gauge",
    "Number of threads running inside the container",
    ({ index, processes, tasks }) => (index === -1 ? tasks : processes?.threads),
  ),
];

/** The limit of open files of a container's first process. */
function ulimitFamily({ table, rowByPid, containerOf }: Snapshot): CgroupFamily {
  return figures(
    "container_ulimits_soft",
    "gauge",
    "Soft ulimit values for the container root process. Unlimited if -1, except priority and nice",
    ["ulimit"],
    ({ container, index }) => {
      const row = rowByPid.get(container?.initPid ?? -1) ?? -1;
      const limit = containerOf[row] === index ? (table.openFilesLimit[row] ?? Number.NaN) : Number.NaN;
      return [[["max_open_files"], limit === Number.POSITIVE_INFINITY ? -1 : limit]];
    },
  );
}

export function createProcessCollector(subjects: CgroupSubjects): Collector {
  return {
    group: "container",
    name: "process",
    collect: async (snapshot) =>
      sampleAll([...families, ulimitFamily(snapshot)], await subjects.of(snapshot)),
  };
}
