import { type CgroupFamily, figure, figures } from "./cgroup-family.ts";
import type { CgroupSubject } from "./cgroup-subjects.ts";

/** Figures of a quota; without one there are none. */
function ofQuota(
  name: string,
  help: string,
  read: (cpu: NonNullable<CgroupSubject["cpu"]>) => number,
): CgroupFamily {
  return figure(name, "counter", help, ({ cpu, limits }) =>
    cpu === undefined || !((limits?.cpuQuotaMicros ?? 0) > 0) ? undefined : read(cpu),
  );
}

export const cpuFamilies: readonly CgroupFamily[] = [
  figure(
    "container_cpu_user_seconds_total",
    "counter",
    "Cumulative user cpu time consumed in seconds.",
    ({ cpu }) => cpu?.userSeconds,
  ),
  figure(
    "container_cpu_system_seconds_total",
    "counter",
    "Cumulative system cpu time consumed in seconds.",
    ({ cpu }) => cpu?.systemSeconds,
  ),
  figures(
    "container_cpu_usage_seconds_total",
    "counter",
    "Cumulative cpu time consumed in seconds.",
    ["cpu"],
    ({ cpu }) => (cpu?.byCpu ?? []).map(([name, seconds]) => [[name], seconds]),
  ),
  ofQuota(
    "container_cpu_cfs_periods_total",
    "Number of elapsed enforcement period intervals.",
    (cpu) => cpu.periods,
  ),
  ofQuota(
    "container_cpu_cfs_throttled_periods_total",
    "Number of throttled period intervals.",
    (cpu) => cpu.throttledPeriods,
  ),
  ofQuota(
    "container_cpu_cfs_throttled_seconds_total",
    "Total time duration the container has been throttled.",
    (cpu) => cpu.throttledSeconds,
  ),
  ofQuota(
    "container_cpu_cfs_burst_periods_total",
    "Number of periods when burst occurs.",
    (cpu) => cpu.burstPeriods,
  ),
  ofQuota(
    "container_cpu_cfs_burst_seconds_total",
    "Total time duration when burst occurs.",
    (cpu) => cpu.burstSeconds,
  ),
];
