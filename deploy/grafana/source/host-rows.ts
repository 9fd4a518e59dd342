import { graph, type Row, stat, type Thresholds, table } from "./panels.ts";
import { host } from "./selectors.ts";

const share: Thresholds = [
  [null, "green"],
  [0.8, "orange"],
  [0.95, "red"],
];
const none: Thresholds = [
  [null, "green"],
  [1, "orange"],
];

export const hostRow: Row = {
  title: "Host",
  panels: [
    stat(
      {
        title: "CPU in use",
        description: "Share of all cores that is not idle.",
        unit: "percentunit",
        thresholds: share,
        min: 0,
        max: 1,
      },
      { expr: `1 - avg(rate(node_cpu_seconds_total{${host},mode="idle"}[$__rate_interval]))` },
    ),
    stat(
      {
        title: "Memory in use",
        description: "Share of the memory that the kernel could not give to a new program.",
        unit: "percentunit",
        thresholds: share,
        min: 0,
        max: 1,
      },
      {
        expr: `1 - sum(node_memory_MemAvailable_bytes{${host}}) / sum(node_memory_MemTotal_bytes{${host}})`,
      },
    ),
    stat(
      {
        title: "Fullest file system",
        description: "Share of the space that ordinary users can have.",
        unit: "percentunit",
        thresholds: share,
        min: 0,
        max: 1,
      },
      {
        expr: `max(1 - node_filesystem_avail_bytes{${host}} / (node_filesystem_size_bytes{${host}} > 0))`,
      },
    ),
    stat(
      {
        title: "Load per core",
        description:
          "Tasks that run, want to run or wait for a disk, over the cores. Above 1 some of them wait.",
        unit: "none",
        thresholds: [
          [null, "green"],
          [1, "orange"],
          [2, "red"],
        ],
      },
      {
        expr: `sum(node_load1{${host}}) / count(count by (instance, cpu) (node_cpu_seconds_total{${host}}))`,
      },
    ),
    stat(
      { title: "Up for", description: "Since the kernel was booted.", unit: "dtdurations" },
      { expr: `max(time() - node_boot_time_seconds{${host}})` },
    ),
    stat(
      { title: "Containers", description: "Those that run." },
      { expr: `sum(pidward_container_state{${host},state="running"})` },
    ),
    stat(
      {
        title: "Processes",
        description: "Of the host and of all containers, threads of the kernel included.",
      },
      { expr: `sum(pidward_program_processes{${host}})` },
    ),
    stat(
      {
        title: "Zombies",
        description: "Processes that have ended and that nobody has reaped, in containers or not.",
        thresholds: none,
      },
      { expr: `sum(pidward_program_processes_by_state{${host},state="zombie"})` },
    ),
    graph(
      {
        title: "CPU of the host",
        description: "By what the cores did; idle is left out.",
        unit: "cores",
        stacked: true,
        width: 6,
      },
      {
        expr: `sum by (mode) (rate(node_cpu_seconds_total{${host},mode!="idle"}[$__rate_interval]))`,
        legend: "{{mode}}",
      },
    ),
    graph(
      {
        title: "Memory of the host",
        description: "In use is what is not available.",
        unit: "bytes",
        width: 6,
        min: 0,
      },
      {
        expr: `sum(node_memory_MemTotal_bytes{${host}} - node_memory_MemAvailable_bytes{${host}})`,
        legend: "in use",
      },
      { expr: `sum(node_memory_Cached_bytes{${host}})`, legend: "cached files" },
      { expr: `sum(node_memory_MemTotal_bytes{${host}})`, legend: "all" },
    ),
    graph(
      { title: "Disks of the host", description: "Bytes read and written.", unit: "Bps", width: 6, min: 0 },
      {
        expr: `sum by (device) (rate(node_disk_read_bytes_total{${host}}[$__rate_interval]))`,
        legend: "{{device}} read",
      },
      {
        expr: `sum by (device) (rate(node_disk_written_bytes_total{${host}}[$__rate_interval]))`,
        legend: "{{device}} written",
      },
    ),
    graph(
      { title: "Network of the host", description: "Without loopback.", unit: "Bps", width: 6, min: 0 },
      {
        expr: `sum by (device) (rate(node_network_receive_bytes_total{${host},device!="lo"}[$__rate_interval]))`,
        legend: "{{device}} in",
      },
      {
        expr: `sum by (device) (rate(node_network_transmit_bytes_total{${host},device!="lo"}[$__rate_interval]))`,
        legend: "{{device}} out",
      },
    ),
  ],
};

export const containersRow: Row = {
  title: "Containers",
  panels: [
    table(
      {
        title: "Containers",
        description: "Figures of the processes in them. Memory in RAM counts shared pages for each process.",
      },
      [
        { label: "container", title: "Container" },
        { label: "state", title: "State" },
        { label: "image", title: "Image" },
        { label: "runtime", title: "Runtime" },
        { expr: `max by (container, image, runtime) (pidward_container_info{${host}})`, title: null },
        { expr: `max by (container, state) (pidward_container_state{${host}} == 1)`, title: null },
        {
          expr: `sum by (container) (pidward_program_processes{${host},container!=""})`,
          title: "Processes",
          unit: "none",
        },
        {
          expr: `sum by (container) (rate(pidward_program_cpu_seconds_total{${host},container!=""}[$__rate_interval]))`,
          title: "CPU",
          unit: "cores",
        },
        {
          expr: `sum by (container) (pidward_program_resident_bytes{${host},container!=""})`,
          title: "In RAM",
          unit: "bytes",
        },
        {
          expr: `max by (container) (pidward_program_open_files_worst_ratio{${host},container!=""})`,
          title: "Open files of limit",
          unit: "percentunit",
          thresholds: share,
        },
        {
          expr: `sum by (container) (pidward_container_zombies{${host}})`,
          title: "Zombies",
          unit: "none",
          thresholds: none,
        },
        {
          expr: `sum by (container) (pidward_container_restarts_total{${host}})`,
          title: "Restarts by policy",
          unit: "none",
          thresholds: none,
        },
      ],
    ),
    graph(
      {
        title: "CPU by container",
        description: "The ten that use most, by their processes; empty is the host itself.",
        unit: "cores",
        stacked: true,
        min: 0,
      },
      {
        expr: `topk(10, sum by (container) (rate(pidward_program_cpu_seconds_total{${host}}[$__rate_interval])))`,
        legend: "{{container}}",
      },
    ),
    graph(
      {
        title: "Memory by container",
        description:
          "Working set of the cgroup: what the limit is compared with, reclaimable files left out.",
        unit: "bytes",
        stacked: true,
        min: 0,
      },
      {
        expr: `topk(10, sum by (name) (container_memory_working_set_bytes{${host},name!=""}))`,
        legend: "{{name}}",
      },
    ),
    graph(
      {
        title: "Held back by the CPU quota",
        description: "Share of the periods in which a container with a quota had used it up.",
        unit: "percentunit",
        thresholds: [
          [null, "green"],
          [0.25, "red"],
        ],
        min: 0,
        max: 1,
      },
      {
        expr:
          `sum by (name) (rate(container_cpu_cfs_throttled_periods_total{${host},name!=""}[$__rate_interval]))` +
          ` / sum by (name) (rate(container_cpu_cfs_periods_total{${host},name!=""}[$__rate_interval]))`,
        legend: "{{name}}",
      },
    ),
    graph(
      {
        title: "Memory of its limit",
        description: "Working set over the limit, of containers with a limit. Near 1 the OOM killer is near.",
        unit: "percentunit",
        thresholds: [
          [null, "green"],
          [0.9, "red"],
        ],
        min: 0,
        max: 1,
      },
      {
        expr:
          `max by (name) (container_memory_working_set_bytes{${host},name!=""}` +
          ` / (container_spec_memory_limit_bytes{${host},name!=""} > 0))`,
        legend: "{{name}}",
      },
    ),
  ],
};
