// cpu  22556 34 2290 226255 6290 127 456 0 0 0
// cpu0 11320 17 1140 113120 3145 64 228 0 0 0
// intr 114930548 113199788 3 0 5
// ctxt 1990473
// btime 1062191376
// processes 2915
// procs_running 1
// procs_blocked 0
import { decimal, fieldsOf } from "./fields.ts";

/** Modes of a CPU's time in the order of the columns; older kernels have fewer. */
export const cpuModes = [
  "user",
  "nice",
  "system",
  "idle",
  "iowait",
  "irq",
  "softirq",
  "steal",
  "guest",
  "guest_nice",
] as const;
export type CpuMode = (typeof cpuModes)[number];

export interface CpuTicks {
  /** The CPU's number. */
  readonly cpu: string;
  /** By `cpuModes`; what the kernel does not tell is 0. */
  readonly ticks: readonly number[];
}

/** /proc/stat (proc_stat(5)); what is not in the text is undefined. */
export interface KernelStat {
  readonly cpus: readonly CpuTicks[];
  readonly interrupts: number | undefined;
  readonly contextSwitches: number | undefined;
  readonly bootSeconds: number | undefined;
  readonly forks: number | undefined;
  readonly running: number | undefined;
  readonly blocked: number | undefined;
}

export function parseKernelStat(text: string): KernelStat {
  const figure = (name: string): number | undefined =>
    decimal(new RegExp(`^${name} (\\d+)`, "m").exec(text)?.[1]);
  return {
    cpus: [...text.matchAll(/^cpu(\d+) (.*)$/gm)].map(([, cpu = "", columns = ""]) => {
      const values = fieldsOf(columns);
      return { cpu, ticks: cpuModes.map((_, index) => decimal(values[index]) ?? 0) };
    }),
    interrupts: figure("intr"),
    contextSwitches: figure("ctxt"),
    bootSeconds: figure("btime"),
    forks: figure("processes"),
    running: figure("procs_running"),
    blocked: figure("procs_blocked"),
  };
}
