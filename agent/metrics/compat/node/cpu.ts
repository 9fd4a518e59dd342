import type { Snapshot } from "../../../model.ts";
import { type CpuMode, type CpuTicks, cpuModes, type KernelStat } from "../../../source/host/kernel-stat.ts";
import { createThrottleReader } from "../../../source/host/throttles.ts";
import type { Collector } from "../../samples.ts";
import { counter, type NodeHost, nodeCollector, series } from "./node-host.ts";

const seconds = counter("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.", "cpu", "mode");
const guestSeconds = counter(
  "node_cpu_guest_seconds_total",
  "Seconds the CPUs spent in guests (VMs) for each mode.",
  "cpu",
  "mode",
);
const coreThrottles = counter(
  "node_cpu_core_throttles_total",
  "Number of times this CPU core has been throttled.",
  "package",
  "core",
);
const packageThrottles = counter(
  "node_cpu_package_throttles_total",
  "Number of times this CPU package has been throttled.",
  "package",
);

/** An idle time that falls by so much is that of a CPU which was off and begins anew. */
const beginsAnewSeconds = 3;

const ownModes: readonly CpuMode[] = cpuModes.filter((mode) => !mode.startsWith("guest"));
const guestModes: Readonly<Partial<Record<CpuMode, string>>> = { guest: "user", guest_nice: "nice" };

export function createCpuCollector(
  host: NodeHost,
  stat: (snapshot: Snapshot) => KernelStat | undefined,
): Collector {
  const readThrottles = createThrottleReader(host.files);
  let known = new Map<string, readonly number[]>();
  return nodeCollector("cpu", (snapshot) => {
    const cpus = stat(snapshot)?.cpus ?? [];
    known = new Map(cpus.map((cpu) => [cpu.cpu, neverFalling(cpu, known.get(cpu.cpu), host)]));
    const times = [...known].flatMap(([cpu, ticks]) =>
      cpuModes.map((mode, index) => ({ cpu, mode, value: (ticks[index] ?? 0) / host.ticksPerSecond })),
    );
    const { cores, packages } = readThrottles();
    return [
      series(
        seconds,
        times.filter(({ mode }) => ownModes.includes(mode)),
        ({ cpu, mode, value }) => [[cpu, mode], value],
      ),
      series(
        guestSeconds,
        times.filter(({ mode }) => guestModes[mode] !== undefined),
        ({ cpu, mode, value }) => [[cpu, guestModes[mode] ?? ""], value],
      ),
      series(coreThrottles, cores, (one) => [[String(one.package), String(one.core)], one.count]),
      series(packageThrottles, packages, (one) => [[String(one.package)], one.count]),
    ];
  });
}

/** Idle and iowait of the kernel can fall (proc_stat(5)), which a counter must not. */
function neverFalling(
  { ticks }: CpuTicks,
  before: readonly number[] | undefined,
  { ticksPerSecond }: NodeHost,
): readonly number[] {
  const idle = cpuModes.indexOf("idle");
  const fall = (before?.[idle] ?? 0) - (ticks[idle] ?? 0);
  if (before === undefined || fall >= beginsAnewSeconds * ticksPerSecond) return ticks;
  return ticks.map((figure, index) => Math.max(figure, before[index] ?? 0));
}
