import { dashboard, instanceVariable } from "./dashboard.ts";
import { containersRow, hostRow } from "./host-rows.ts";
import { graph, type Panel, type Row, table } from "./panels.ts";
import { container, host, program } from "./selectors.ts";

const ofProgram = "{{container}} / {{program}}";

/** Sums of the chosen programs, ten at most. */
function byProgram(options: Parameters<typeof graph>[0], expr: string): Panel {
  return graph({ width: 8, min: 0, ...options }, { expr: `topk(10, ${expr})`, legend: ofProgram });
}

const programsRow: Row = {
  title: "Programs of $container",
  panels: [
    byProgram(
      {
        title: "Processes",
        description: "A program that falls to 0 has ended; one that climbs may leak processes.",
      },
      `sum by (container, program) (pidward_program_processes{${program}})`,
    ),
    byProgram(
      { title: "CPU", description: "User and system time together.", unit: "cores" },
      `sum by (container, program) (rate(pidward_program_cpu_seconds_total{${program}}[$__rate_interval]))`,
    ),
    byProgram(
      {
        title: "Memory in RAM",
        description: "Pages that processes share count for each of them.",
        unit: "bytes",
      },
      `sum by (container, program) (pidward_program_resident_bytes{${program}})`,
    ),
    byProgram(
      { title: "Open files", description: "Files, sockets and pipes of all processes of the program." },
      `sum by (container, program) (pidward_program_open_files{${program}})`,
    ),
    byProgram(
      {
        title: "Open files of the limit",
        description: "Of the process that is nearest to its soft limit. At 1 it can accept no connection.",
        unit: "percentunit",
        thresholds: [
          [null, "green"],
          [0.8, "red"],
        ],
      },
      `max by (container, program) (pidward_program_open_files_worst_ratio{${program}})`,
    ),
    byProgram(
      { title: "Threads", description: "A number that only climbs is a leak." },
      `sum by (container, program) (pidward_program_threads{${program}})`,
    ),
    graph(
      {
        title: "Disk",
        description:
          "Bytes that went to and came from the storage layer; what the page cache had is not in it.",
        unit: "Bps",
        width: 8,
      },
      {
        expr: `topk(5, sum by (container, program) (rate(pidward_program_read_bytes_total{${program}}[$__rate_interval])))`,
        legend: `${ofProgram} read`,
      },
      {
        expr: `topk(5, sum by (container, program) (rate(pidward_program_written_bytes_total{${program}}[$__rate_interval])))`,
        legend: `${ofProgram} written`,
      },
    ),
    graph(
      {
        title: "States of processes",
        description:
          "Uninterruptible ones wait for a disk or a network file system, and no signal reaches them.",
        stacked: true,
        width: 8,
      },
      {
        expr: `sum by (state) (pidward_program_processes_by_state{${program}}) > 0`,
        legend: "{{state}}",
      },
    ),
    graph(
      {
        title: "Ends by reason",
        description: "Processes that ended, a second. oom: the kernel killed them for want of memory.",
        unit: "cps",
        draw: "bars",
        stacked: true,
        width: 8,
      },
      {
        expr: `sum by (reason) (rate(pidward_program_exits_total{${program}}[$__rate_interval]))`,
        legend: "{{reason}}",
      },
    ),
    table(
      {
        title: "Programs of process managers",
        description:
          "As supervisord, s6, runit or systemd in the container tell them, those without a process too. failed: meant to run, and does not.",
        height: 7,
      },
      [
        { label: "container", title: "Container" },
        { label: "program", title: "Program" },
        { label: "manager", title: "Manager" },
        { label: "state", title: "State" },
        { label: "condition", title: "Condition" },
        {
          expr: `max by (container, program, manager, state, condition) (pidward_managed_program_state{${container}})`,
          title: null,
        },
      ],
    ),
  ],
};

const processesRow: Row = {
  title: "Top processes (needs --metrics.top-processes)",
  panels: [
    table(
      {
        title: "Processes that use most",
        description: "The first by CPU and by memory of the whole host; pidward ps shows all of them.",
      },
      [
        { label: "pid", title: "PID" },
        { label: "container", title: "Container" },
        { label: "program", title: "Program" },
        { label: "name", title: "Name" },
        {
          expr: `sum by (pid, container, program, name) (rate(pidward_process_cpu_seconds_total{${program}}[$__rate_interval]))`,
          title: "CPU",
          unit: "cores",
        },
        {
          expr: `sum by (pid, container, program, name) (pidward_process_resident_bytes{${program}})`,
          title: "In RAM",
          unit: "bytes",
        },
        {
          expr: `sum by (pid, container, program, name) (pidward_process_open_files{${program}})`,
          title: "Open files",
          unit: "none",
        },
        {
          expr: `sum by (pid, container, program, name) (pidward_process_threads{${program}})`,
          title: "Threads",
          unit: "none",
        },
      ],
    ),
  ],
};

export const hostToProcess = dashboard({
  uid: "pidward-host-to-process",
  title: "pidward: host → container → program → process",
  description: "From the host down to the process that is the matter.",
  variables: [
    instanceVariable,
    {
      name: "container",
      label: "Container",
      query: `label_values(pidward_container_info{${host}}, container)`,
      many: true,
    },
    {
      name: "program",
      label: "Program",
      query: `label_values(pidward_program_processes{${container}}, program)`,
      many: true,
    },
  ],
  annotations: [],
  rows: [hostRow, containersRow, programsRow, processesRow],
});
