import { type CgroupFamily, figure } from "./cgroup-family.ts";

export const oomFamilies: readonly CgroupFamily[] = [
  figure(
    "container_oom_events_total",
    "counter",
    "Count of out of memory events observed for the container",
    ({ oomEvents }) => oomEvents,
  ),
];
