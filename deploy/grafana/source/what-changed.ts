import { agentRow } from "./agent-row.ts";
import { dashboard, instanceVariable } from "./dashboard.ts";
import { graph, type Row, stat, type Thresholds, table, timeline } from "./panels.ts";
import { container, host } from "./selectors.ts";

/**
 * By how much counters have grown in a step, the first figure of a new one included: `increase` begins at a counter's
 * first figure, and what happens once is that figure. A step before which the agent was not there shows nothing.
 */
function grown(counter: string, step = "$__interval"): string {
  return (
    `(clamp_min(${counter} - (${counter} offset ${step} or ${counter} * 0), 0)` +
    ` and on (instance) pidward_build_info offset ${step})`
  );
}

const bad: Thresholds = [
  [null, "green"],
  [1, "red"],
];
const odd: Thresholds = [
  [null, "green"],
  [1, "orange"],
];
const failed = `reason=~"exit_nonzero|signal|oom"`;

const rangeRow: Row = {
  title: "In the time shown",
  panels: [
    stat(
      { title: "Processes started", description: "In containers.", width: 4 },
      { expr: `sum(increase(pidward_program_starts_total{${container},container!=""}[$__range]))` },
    ),
    stat(
      {
        title: "Ended without success",
        description: "With an exit code other than 0, by a signal or by the OOM killer, in containers.",
        thresholds: odd,
        width: 4,
      },
      { expr: `sum(increase(pidward_program_exits_total{${container},container!="",${failed}}[$__range]))` },
    ),
    stat(
      {
        title: "Killed for want of memory",
        description: "By the kernel's OOM killer.",
        thresholds: bad,
        width: 4,
      },
      { expr: `sum(increase(pidward_program_exits_total{${container},reason="oom"}[$__range]))` },
    ),
    stat(
      {
        title: "Programs that failed",
        description: "That their process manager has as meant to run and not running, now.",
        thresholds: bad,
        width: 4,
      },
      { expr: `count(pidward_managed_program_state{${container},condition="failed"}) or vector(0)` },
    ),
    stat(
      {
        title: "Signals and restarts by pidward",
        description: "All that was asked for since the agent has started, refused ones included.",
        width: 4,
      },
      { expr: `sum(pidward_control_actions_total{${host}}) or vector(0)` },
    ),
    stat(
      { title: "Agent up for", description: "Counters begin at its start.", unit: "dtdurations", width: 4 },
      { expr: `max(time() - process_start_time_seconds{${host}} and on (instance) pidward_build_info)` },
    ),
  ],
};

const programsRow: Row = {
  title: "Programs",
  panels: [
    graph(
      {
        title: "Starts",
        description:
          "Processes that started, by program. A program that starts again and again does not stay up.",
        draw: "bars",
        stacked: true,
      },
      {
        expr: `topk(10, sum by (container, program) (${grown(`pidward_program_starts_total{${container},container!=""}`)}) > 0)`,
        legend: "{{container}} / {{program}}",
      },
    ),
    graph(
      {
        title: "Ends by reason",
        description:
          "exit_nonzero: with an exit code other than 0. oom: by the kernel, for want of memory. unknown: only their absence was noticed.",
        draw: "bars",
        stacked: true,
      },
      {
        expr: `sum by (reason) (${grown(`pidward_program_exits_total{${container},container!=""}`)})`,
        legend: "{{reason}}",
      },
    ),
    graph(
      {
        title: "Ended without success",
        description: "By program; pidward events shows the exit code or signal of each.",
        draw: "bars",
        stacked: true,
      },
      {
        expr: `topk(10, sum by (container, program) (${grown(`pidward_program_exits_total{${container},container!="",${failed}}`)}) > 0)`,
        legend: "{{container}} / {{program}}",
      },
    ),
    graph(
      {
        title: "Killed for want of memory",
        description: "Programs of which the OOM killer took a process.",
        draw: "bars",
        stacked: true,
      },
      {
        expr: `sum by (container, program) (${grown(`pidward_program_exits_total{${container},reason="oom"}`)}) > 0`,
        legend: "{{container}} / {{program}}",
      },
    ),
    table(
      {
        title: "Youngest programs",
        description:
          "How long the oldest process of each program has lived: what has just been started stands on top.",
        height: 8,
        width: 12,
      },
      [
        { label: "container", title: "Container" },
        { label: "program", title: "Program" },
        {
          expr: `bottomk(20, time() - max by (container, program) (pidward_program_oldest_start_time_seconds{${container},container!=""}))`,
          title: "Age",
          unit: "dtdurations",
        },
      ],
    ),
    graph(
      {
        title: "Signals and restarts by pidward",
        description:
          "What was asked of the agent, by the way it took and by outcome; pidward audit says who asked, and on what.",
        draw: "bars",
        stacked: true,
      },
      {
        expr: `sum by (action, driver, outcome) (${grown(`pidward_control_actions_total{${host}}`)})`,
        legend: "{{action}} ({{driver}}): {{outcome}}",
      },
    ),
  ],
};

const containersRow: Row = {
  title: "Containers",
  panels: [
    timeline(
      { title: "Containers running", description: "A gap with both colours is a restart." },
      { "0": ["not running", "red"], "1": ["running", "green"] },
      {
        expr: `max by (container) (pidward_container_state{${container},state="running"})`,
        legend: "{{container}}",
      },
    ),
    timeline(
      {
        title: "Programs of process managers",
        description: "A band for each state that a program was in.",
      },
      {
        "0": ["failed", "red"],
        "1": ["stopped", "text"],
        "2": ["changing", "orange"],
        "3": ["running", "green"],
      },
      {
        expr:
          `max by (container, program) (pidward_managed_program_state{${container},condition="failed"} * 0` +
          ` or pidward_managed_program_state{${container},condition="stopped"}` +
          ` or pidward_managed_program_state{${container},condition="changing"} * 2` +
          ` or pidward_managed_program_state{${container},condition="running"} * 3)`,
        legend: "{{container}} / {{program}}",
      },
    ),
  ],
};

export const whatChanged = dashboard({
  uid: "pidward-what-changed",
  title: "pidward: what changed",
  description: "What started, ended, was killed or restarted, and whether the agent sees all of it.",
  variables: [
    instanceVariable,
    {
      name: "container",
      label: "Container",
      query: `label_values(pidward_container_info{${host}}, container)`,
      many: true,
    },
  ],
  annotations: [
    {
      name: "OOM kills",
      expr: `sum by (container, program) (${grown(`pidward_program_exits_total{${container},reason="oom"}`, "1m")}) > 0`,
      title: "OOM killer: {{container}} / {{program}}",
      color: "red",
    },
    {
      name: "Signals and restarts",
      expr: `sum by (action, driver) (${grown(`pidward_control_actions_total{${host},outcome="done"}`, "1m")}) > 0`,
      title: "{{action}} ({{driver}})",
      color: "blue",
    },
  ],
  rows: [rangeRow, programsRow, containersRow, agentRow],
});
