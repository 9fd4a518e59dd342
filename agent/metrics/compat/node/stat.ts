import type { Snapshot } from "../../../model.ts";
import type { KernelStat } from "../../../source/host/kernel-stat.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { counter, gauge, nodeCollector, single } from "./node-host.ts";

const families: readonly (readonly [family: Family, figure: Exclude<keyof KernelStat, "cpus">])[] = [
  [gauge("node_boot_time_seconds", "Node boot time, in unixtime."), "bootSeconds"],
  [counter("node_context_switches_total", "Total number of context switches."), "contextSwitches"],
  [counter("node_forks_total", "Total number of forks."), "forks"],
  [counter("node_intr_total", "Total number of interrupts serviced."), "interrupts"],
  [gauge("node_procs_blocked", "Number of processes blocked waiting for I/O to complete."), "blocked"],
  [gauge("node_procs_running", "Number of processes in runnable state."), "running"],
];

export function createStatCollector(stat: (snapshot: Snapshot) => KernelStat | undefined): Collector {
  return nodeCollector("stat", (snapshot) => {
    const figures = stat(snapshot);
    return families.map(([family, figure]) => single(family, figures?.[figure]));
  });
}
