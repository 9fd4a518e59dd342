import { graph, type Row, type Thresholds, table, timeline } from "./panels.ts";
import { host } from "./selectors.ts";

const bad: Thresholds = [
  [null, "green"],
  [1, "red"],
];

export const agentRow: Row = {
  title: "Health of the agent",
  panels: [
    graph(
      {
        title: "Scans",
        description:
          "How long a scan takes; a scan that takes as long as --scan.interval is too slow for it.",
        unit: "s",
        width: 8,
        min: 0,
      },
      {
        expr: `histogram_quantile(0.5, sum by (le) (rate(pidward_scan_duration_seconds_bucket{${host}}[$__rate_interval])))`,
        legend: "half of them below",
      },
      {
        expr: `histogram_quantile(0.99, sum by (le) (rate(pidward_scan_duration_seconds_bucket{${host}}[$__rate_interval])))`,
        legend: "99 of 100 below",
      },
    ),
    graph(
      { title: "Scans a second", description: "At 0 all figures are old.", unit: "ops", width: 8, min: 0 },
      { expr: `sum(rate(pidward_scan_duration_seconds_count{${host}}[$__rate_interval]))`, legend: "scans" },
    ),
    graph(
      {
        title: "What was missed",
        description:
          "Should be empty or 0. Files that could not be read, ends of processes that were lost, collectors that failed, audit records that could not be written.",
        unit: "cps",
        width: 8,
        min: 0,
      },
      {
        expr: `sum(rate(pidward_events_lost_total{${host}}[$__rate_interval]))`,
        legend: "ends of processes lost",
      },
      {
        expr: `sum(rate(pidward_audit_write_failures_total{${host}}[$__rate_interval]))`,
        legend: "audit records not written",
      },
      {
        expr: `sum by (kind) (rate(pidward_scan_problems_total{${host}}[$__rate_interval]))`,
        legend: "problem: {{kind}}",
      },
      {
        expr: `sum by (collector) (rate(pidward_collector_failures_total{${host}}[$__rate_interval]))`,
        legend: "collector {{collector}} failed",
      },
    ),
    timeline(
      {
        title: "Container runtimes",
        description: "Without its runtime a container has no name and cannot be acted upon.",
        width: 12,
        height: 6,
      },
      { "0": ["away", "red"], "1": ["answers", "green"] },
      { expr: `max by (runtime) (pidward_runtime_up{${host}})`, legend: "{{runtime}}" },
    ),
    graph(
      {
        title: "Too many series",
        description: "What did not fit into --metrics.max-series: should be 0.",
        thresholds: bad,
        width: 6,
        height: 6,
        min: 0,
      },
      { expr: `sum(pidward_programs_folded{${host}})`, legend: "programs folded" },
      { expr: `sum(pidward_series_dropped{${host}})`, legend: "series of pidward_* dropped" },
      { expr: `sum(pidward_family_series_dropped{${host}})`, legend: "series of other families dropped" },
    ),
    graph(
      {
        title: "Cost",
        description: "What the agent itself uses.",
        unit: "cores",
        width: 6,
        height: 6,
        min: 0,
      },
      {
        expr: `sum(rate(process_cpu_seconds_total{${host}}[$__rate_interval]) and on (instance) pidward_build_info)`,
        legend: "CPU",
      },
    ),
    graph(
      { title: "Memory of the agent", description: "In RAM.", unit: "bytes", width: 6, height: 6, min: 0 },
      {
        expr: `sum(process_resident_memory_bytes{${host}} and on (instance) pidward_build_info)`,
        legend: "in RAM",
      },
    ),
    table(
      {
        title: "How it reads",
        description: "By BPF where the kernel and the rights allow it, else the reason.",
        width: 18,
        height: 6,
      },
      [
        { label: "instance", title: "Host" },
        { label: "version", title: "Version" },
        { label: "source", title: "Processes by" },
        { label: "reason", title: "Why not BPF" },
        { expr: `max by (instance, version) (pidward_build_info{${host}})`, title: null },
        { expr: `max by (instance, source, reason) (pidward_source_info{${host}})`, title: null },
      ],
    ),
  ],
};
