import { collectDefaultMetrics } from "prom-client";
import type { ExpositionFormat } from "./exposition.ts";
import { createHeld } from "./held.ts";
import { neverMs, replaceLoopDelay } from "./loop-delay.ts";
import { createRegistryPair } from "./registry-pair.ts";

export interface RuntimeMetricsParts {
  /** What was collected less than so many milliseconds ago is given again: most of it is files and lists of Node. */
  readonly refreshMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** `process_*` and `nodejs_*` of the agent itself, as prom-client brings them, but for the delay of the loop. */
export function createRuntimeMetrics(
  parts: RuntimeMetricsParts,
): (format: ExpositionFormat) => Promise<string> {
  const { registry, seal } = createRegistryPair();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: neverMs });
  replaceLoopDelay(registry);
  const render = seal();
  const hold = (format: ExpositionFormat) =>
    createHeld(() => render(format), parts.refreshMs, parts.monotonicMs);
  const held = { text: hold("text"), openmetrics: hold("openmetrics") };
  return (format) => held[format]();
}
