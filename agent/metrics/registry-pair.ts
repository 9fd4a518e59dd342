import { type Metric, Registry } from "prom-client";
import type { ExpositionFormat } from "./exposition.ts";

/** Metrics of prom-client in both formats: a registry has one content type, so the same metrics stand in two. */
export interface RegistryPair {
  /** Metrics register here, before `seal`. */
  readonly registry: Registry;
  /** @returns what renders the metrics that are registered by then; OpenMetrics without its final `# EOF` */
  seal(): (format: ExpositionFormat) => Promise<string>;
}

export function createRegistryPair(): RegistryPair {
  const registry = new Registry();
  return {
    registry,
    seal: () => {
      const open = new Registry();
      open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
      for (const { name } of registry.getMetricsAsArray()) {
        const metric = registry.getSingleMetric(name);
        if (metric !== undefined) open.registerMetric(withOwnName(metric));
      }
      return async (format) =>
        format === "text" ? registry.metrics() : (await open.metrics()).replace(/# EOF\n$/, "");
    },
  };
}

interface Readable {
  name: string;
  get(): Promise<object>;
  getForPromString?(): Promise<object>;
}

/** The same metric with a name of its own: for OpenMetrics prom-client takes `_total` off a counter's name, and leaves it so. */
function withOwnName(metric: Metric): Metric {
  const base = metric as Metric & Readable;
  const own: Metric & Readable = Object.create(base);
  own.name = base.name;
  own.get = async () => ({ ...(await base.get()), name: own.name }) as never;
  if (base.getForPromString !== undefined)
    own.getForPromString = async () => ({ ...(await base.getForPromString?.()), name: own.name });
  return own;
}
