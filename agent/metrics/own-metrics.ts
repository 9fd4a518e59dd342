import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Snapshot } from "../model.ts";
import type { ExpositionFormat } from "./exposition.ts";
import type { Family } from "./families.ts";
import { createLoopDelays } from "./loop-delay.ts";
import { createRegistryPair } from "./registry-pair.ts";
import { createRuntimeMetrics, type RuntimeMetricsParts } from "./runtime-metrics.ts";

export interface OwnMetricsParts extends RuntimeMetricsParts {
  readonly version: string;
  readonly source: string;
  readonly sourceReason: string | null;
  readonly events: {
    readonly name: string;
    readonly reason: string | null;
    readonly lost: () => number;
  };
  /** Asked at each rendering. */
  readonly runtimes: () => readonly Availability[];
  readonly features: () => readonly Availability[];
}

interface Availability {
  readonly name: string;
  readonly available: boolean;
}

/** What the agent reports of itself, by prom-client in a registry of its own. */
export interface OwnMetrics {
  scanned(snapshot: Pick<Snapshot, "scanSeconds" | "problems">): void;
  /** A timer of the event loop came so late. */
  timerCame(lateMs: number): void;
  acted(action: string, driver: string, outcome: string): void;
  auditFailed(): void;
  /** @param collector `node.cpu` */
  collectorFailed(collector: string): void;
  /** Of a compatible group, in its last rendering. */
  seriesDropped(family: string, count: number): void;
  cgroupsLeftOut(count: number): void;
  /** @param isGood whether the web configuration that was read last can be used */
  webConfigRead(isGood: boolean): void;
  readRefused(): void;
  /**
   * In OpenMetrics without the final `# EOF`; in parts, of which those that stand far from a scan's own figures are the same
   * text for long.
   */
  render(format: ExpositionFormat): Promise<readonly string[]>;
}

export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
};

/** The agent's own families, besides the `process_*` and `nodejs_*` that prom-client brings. */
export const ownFamilies = {
  scanSeconds: {
    name: "pidward_scan_duration_seconds",
    type: "histogram",
    help: "Time from the beginning of a scan to its end, waiting included.",
    labels: [],
  },
  problems: {
    name: "pidward_scan_problems_total",
    type: "counter",
    help: "Files that could not be read or understood.",
    labels: ["kind"],
  },
  actions: {
    name: "pidward_control_actions_total",
    type: "counter",
    help: "Signals and restarts: done, or the code of the failure.",
    labels: ["action", "driver", "outcome"],
  },
  auditFailures: {
    name: "pidward_audit_write_failures_total",
    type: "counter",
    help: "Records that could not be written to the audit file.",
    labels: [],
  },
  source: {
    name: "pidward_source_info",
    type: "gauge",
    help: "How processes are read, and why not in a way that costs less; always 1.",
    labels: ["source", "reason"],
  },
  eventsSource: {
    name: "pidward_events_source_info",
    type: "gauge",
    help: "How ends of processes are learned, and why not by BPF; always 1.",
    labels: ["source", "reason"],
  },
  eventsLost: {
    name: "pidward_events_lost_total",
    type: "counter",
    help: "Ends of processes that could not be told, since the kernel's buffer was full.",
    labels: [],
  },
  build: {
    name: "pidward_build_info",
    type: "gauge",
    help: "Version of the agent; always 1.",
    labels: ["version"],
  },
  collectorFailures: {
    name: "pidward_collector_failures_total",
    type: "counter",
    help: "Collections of compatible families that failed.",
    labels: ["collector"],
  },
  familyDropped: {
    name: "pidward_family_series_dropped",
    type: "gauge",
    help: "Series of a compatible family left out of its last rendering because of --metrics.max-series.",
    labels: ["family"],
  },
  readsRefused: {
    name: "pidward_http_reads_refused_total",
    type: "counter",
    help: "Reads that were answered 503, since too many were under way or too many bytes waited for slow readers.",
    labels: [],
  },
  webConfigGood: {
    name: "pidward_web_config_last_reload_successful",
    type: "gauge",
    help: "Whether the web configuration, as it was read last, is in use; not there without one.",
    labels: [],
  },
  webConfigReadAt: {
    name: "pidward_web_config_last_reload_success_timestamp_seconds",
    type: "gauge",
    help: "When the web configuration in use was read.",
    labels: [],
  },
  cgroupsLeftOut: {
    name: "pidward_cgroups_left_out",
    type: "gauge",
    help: "Cgroups, the smallest, that container_* leaves out because of --metrics.max-series; those above them have their figures too.",
    labels: [],
  },
  runtimeUp: {
    name: "pidward_runtime_up",
    type: "gauge",
    help: "Whether the container runtime answers.",
    labels: ["runtime"],
  },
  features: {
    name: "pidward_feature_available",
    type: "gauge",
    help: "Whether the agent's rights and this host allow it: see doctor for what is missing.",
    labels: ["feature"],
  },
} as const satisfies Record<string, Family>;

export function createOwnMetrics(parts: OwnMetricsParts): OwnMetrics {
  const loopDelays = createLoopDelays();
  const renderRuntime = createRuntimeMetrics({ ...parts, loopDelays });
  const scans = createScanMetrics();
  const seldom = createSeldomMetrics(parts);
  return {
    ...seldom.metrics,
    scanned: scans.scanned,
    timerCame: loopDelays.record,
    render: async (format) => [
      await renderRuntime(format),
      await scans.render(format),
      await seldom.render(format),
    ],
  };
}

/** What changes with each scan. */
function createScanMetrics(): Pick<OwnMetrics, "scanned"> & {
  render(format: ExpositionFormat): Promise<string>;
} {
  const { registry, seal } = createRegistryPair();
  const scanSeconds = new Histogram({
    ...settingsOf(ownFamilies.scanSeconds, registry),
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  });
  const problems = new Counter(settingsOf(ownFamilies.problems, registry));
  return {
    scanned: (snapshot) => {
      scanSeconds.observe(snapshot.scanSeconds);
      for (const problem of snapshot.problems) problems.inc({ kind: problem.kind }, problem.count);
    },
    render: seal(),
  };
}

function settingsOf({ name, help, labels }: Family, registry: Registry) {
  return { name, help, labelNames: [...labels], registers: [registry] };
}

/** What stays for long: it is rendered anew when something of it has changed. */
function createSeldomMetrics(parts: OwnMetricsParts): {
  readonly metrics: Omit<OwnMetrics, "scanned" | "timerCame" | "render">;
  render(format: ExpositionFormat): Promise<string>;
} {
  const { registry, seal } = createRegistryPair();
  const settings = (family: Family) => settingsOf(family, registry);
  const actions = new Counter(settings(ownFamilies.actions));
  const auditFailures = new Counter(settings(ownFamilies.auditFailures));
  const collectorFailures = new Counter(settings(ownFamilies.collectorFailures));
  const familyDropped = new Gauge(settings(ownFamilies.familyDropped));
  const readsRefused = new Counter(settings(ownFamilies.readsRefused));
  const webConfigGood = new Gauge(settings(ownFamilies.webConfigGood));
  const webConfigReadAt = new Gauge(settings(ownFamilies.webConfigReadAt));
  // They begin with the first reading.
  for (const gauge of [webConfigGood, webConfigReadAt]) gauge.remove();
  const cgroupsLeftOut = new Gauge(settings(ownFamilies.cgroupsLeftOut));
  new Gauge(settings(ownFamilies.source))
    .labels(parts.source, parts.sourceReason?.split("\n")[0] ?? "")
    .set(1);
  new Gauge(settings(ownFamilies.eventsSource))
    .labels(parts.events.name, parts.events.reason?.split("\n")[0] ?? "")
    .set(1);
  new Counter({
    ...settings(ownFamilies.eventsLost),
    collect() {
      this.reset();
      this.inc(parts.events.lost());
    },
  });
  new Gauge(settings(ownFamilies.build)).labels(parts.version).set(1);
  new Gauge({
    ...settings(ownFamilies.runtimeUp),
    collect() {
      this.reset();
      for (const { name, available } of parts.runtimes()) this.labels(name).set(available ? 1 : 0);
    },
  });
  new Gauge({
    ...settings(ownFamilies.features),
    collect() {
      for (const { name, available } of parts.features()) this.labels(name).set(available ? 1 : 0);
    },
  });
  const render = seal();
  const known = new Map<ExpositionFormat, { readonly state: string; readonly text: Promise<string> }>();
  let changes = 0;
  /** What is asked for at each rendering, and how often something else has changed. */
  const stateNow = (): string =>
    [changes, parts.events.lost(), ...[...parts.runtimes(), ...parts.features()].map(stateOf)].join("\n");
  const changing =
    <A extends readonly unknown[]>(change: (...args: A) => void) =>
    (...args: A): void => {
      changes++;
      change(...args);
    };
  /** By family or the name of a gauge, as it was set last: it is set with each rendering. */
  const gauges = new Map<string, number>();
  const set = (name: string, figure: number, change: () => void): void => {
    if (gauges.get(name) === figure) return;
    gauges.set(name, figure);
    changing(change)();
  };
  return {
    metrics: {
      auditFailed: changing(() => auditFailures.inc()),
      collectorFailed: changing((collector) => collectorFailures.inc({ collector })),
      seriesDropped: (family, count) =>
        set(`dropped ${family}`, count, () => familyDropped.set({ family }, count)),
      webConfigRead: changing((isGood) => {
        webConfigGood.set(isGood ? 1 : 0);
        if (isGood) webConfigReadAt.set(Date.now() / 1000);
      }),
      readRefused: changing(() => readsRefused.inc()),
      cgroupsLeftOut: (count) => set("cgroups left out", count, () => cgroupsLeftOut.set(count)),
      acted: changing((action, driver, outcome) => actions.inc({ action, driver, outcome })),
    },
    render: (format) => {
      const state = stateNow();
      const last = known.get(format);
      if (last?.state === state) return last.text;
      const text = render(format);
      known.set(format, { state, text });
      return text;
    },
  };
}

function stateOf({ name, available }: Availability): string {
  return `${name} ${available}`;
}
