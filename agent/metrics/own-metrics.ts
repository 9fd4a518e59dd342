import { Counter, collectDefaultMetrics, Gauge, Histogram, type MetricObject, Registry } from "prom-client";
import type { Snapshot } from "../model.ts";
import type { ExpositionFormat } from "./exposition.ts";

export interface OwnMetricsParts {
  readonly version: string;
  readonly source: string;
  /** Asked at each rendering. */
  readonly runtimes: () => readonly { readonly name: string; readonly available: boolean }[];
}

/** What the agent reports of itself, by prom-client in a registry of its own. */
export interface OwnMetrics {
  scanned(snapshot: Pick<Snapshot, "scanSeconds" | "problems">): void;
  acted(action: string, driver: string, outcome: string): void;
  /** In OpenMetrics the text ends with `# EOF`. */
  render(format: ExpositionFormat): Promise<string>;
  /** Name, type and help of every family, for the README. */
  describe(): Promise<readonly MetricObject[]>;
}

export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
};

export function createOwnMetrics(parts: OwnMetricsParts): OwnMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const scanSeconds = new Histogram({
    name: "pidward_scan_duration_seconds",
    help: "Time from the beginning of a scan to its end, waiting included.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  const problems = new Counter({
    name: "pidward_scan_problems_total",
    help: "Files that could not be read or understood.",
    labelNames: ["kind"],
    registers,
  });
  const actions = new Counter({
    name: "pidward_control_actions_total",
    help: "Signals and restarts: done, or the code of the failure.",
    labelNames: ["action", "driver", "outcome"],
    registers,
  });
  const info = (name: string, help: string, label: string, value: string): void =>
    new Gauge({ name, help, labelNames: [label], registers }).labels(value).set(1);
  info("pidward_source_info", "How processes are read; always 1.", "source", parts.source);
  info("pidward_build_info", "Version of the agent; always 1.", "version", parts.version);
  new Gauge({
    name: "pidward_runtime_up",
    help: "Whether the container runtime answers.",
    labelNames: ["runtime"],
    registers,
    collect() {
      this.reset();
      for (const { name, available } of parts.runtimes()) this.labels(name).set(available ? 1 : 0);
    },
  });
  // A registry has one content type: the same metrics stand in a second one for OpenMetrics.
  const open = new Registry();
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  for (const metric of registry.getMetricsAsArray()) {
    const own = registry.getSingleMetric(metric.name);
    if (own !== undefined) open.registerMetric(own);
  }
  return {
    scanned: (snapshot) => {
      scanSeconds.observe(snapshot.scanSeconds);
      for (const problem of snapshot.problems) problems.inc({ kind: problem.kind }, problem.count);
    },
    acted: (action, driver, outcome) => actions.inc({ action, driver, outcome }),
    render: (format) => (format === "text" ? registry : open).metrics(),
    describe: async () => registry.getMetricsAsArray(),
  };
}
