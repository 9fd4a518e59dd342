import { collectDefaultMetrics, Gauge, type Registry } from "prom-client";
import { createProblems } from "../source/problems.ts";
import { createOpenFilesCounter } from "../source/procfs/open-files.ts";
import type { ExpositionFormat } from "./exposition.ts";
import { createHeld } from "./held.ts";
import { type LoopDelays, neverMs, replaceLoopDelay } from "./loop-delay.ts";
import { createRegistryPair } from "./registry-pair.ts";

export interface RuntimeMetricsParts {
  /** What was collected less than so many milliseconds ago is given again: most of it is files and lists of Node. */
  readonly refreshMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

interface AllParts extends RuntimeMetricsParts {
  readonly loopDelays: LoopDelays;
}

/** `process_*` and `nodejs_*` of the agent itself, as prom-client brings them, but for what costs much to collect. */
export function createRuntimeMetrics(parts: AllParts): (format: ExpositionFormat) => Promise<string> {
  const { registry, seal } = createRegistryPair();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: neverMs });
  replaceLoopDelay(registry, parts.loopDelays);
  replaceOpenFiles(registry);
  const render = seal();
  const hold = (format: ExpositionFormat) =>
    createHeld(() => render(format), parts.refreshMs, parts.monotonicMs);
  const held = { text: hold("text"), openmetrics: hold("openmetrics") };
  return (format) => held[format]();
}

/** prom-client's own lists all of them, which are thousands: files of cgroups are held open. */
function replaceOpenFiles(registry: Registry): void {
  const name = "process_open_fds";
  registry.removeSingleMetric(name);
  const count = createOpenFilesCounter("/proc");
  new Gauge({
    name,
    help: "Number of open file descriptors.",
    registers: [registry],
    collect() {
      this.set(count(process.pid, createProblems()));
    },
  });
}
