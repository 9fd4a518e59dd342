import type { ContainerList, ContainerRecord } from "../../api.ts";
import { type Command, jsonFlag, runAlone, type TableCommand } from "../command.ts";
import { type Colour, type Column, formatHostTable } from "../table.ts";
import { age, bytes, count, percent } from "../text.ts";

export const containers: Command = {
  name: "containers",
  args: "",
  least: 0,
  most: 0,
  summary: "containers with their state, resources and programs",
  flags: [jsonFlag],
  run: (input) => runAlone(table, input),
  across: () => table,
};

const table: TableCommand<ContainerList> = {
  ask: ({ api }) => api.get("/api/v1/containers"),
  show: (answers, { out, table: settings }) => {
    const parts = answers.map(({ host, answer }) => ({
      host,
      columns: columns(answer.takenAt),
      rows: answer.containers,
    }));
    const isEmpty = parts.every(({ rows }) => rows.length === 0);
    out(isEmpty ? "no containers\n" : formatHostTable(parts, settings));
  },
};

function columns(nowIso: string): readonly Column<ContainerRecord>[] {
  return [
    { header: "NAME", most: 24, cell: (one) => one.name },
    { header: "ID", cell: (one) => one.id.slice(0, 12) },
    { header: "STATE", cell: describeState, colour: (one) => stateColour(one) },
    { header: "PROCS", align: "right", cell: (one) => String(one.processes) },
    { header: "CPU%", align: "right", cell: (one) => percent(one.cpuCores) },
    { header: "MEMORY", align: "right", cell: describeMemory },
    { header: "RESTARTS", align: "right", cell: (one) => count(one.restartCount) },
    { header: "UP", align: "right", cell: (one) => (one.processes > 0 ? age(one.startedAt, nowIso) : "-") },
    { header: "IMAGE", most: 24, cell: (one) => one.image ?? "-" },
    { header: "PROGRAMS", cell: describePrograms },
  ];
}

/** `exited (137)`; a container that only a cgroup path hints at is marked. */
export function describeState(one: ContainerRecord): string {
  if (!one.known) return "unknown to engine";
  const oom = one.oomKilled ? ", out of memory" : "";
  return one.exitCode === null ? one.state : `${one.state} (${one.exitCode}${oom})`;
}

function stateColour(one: ContainerRecord): Colour | undefined {
  if (!one.known || one.state === "paused") return "yellow";
  return one.state === "dead" || (one.exitCode ?? 0) !== 0 ? "red" : undefined;
}

export function describeMemory(one: ContainerRecord): string {
  const used = one.resources?.memoryWorkingSetBytes ?? one.resources?.memoryBytes ?? null;
  const limit = one.resources?.memoryLimitBytes ?? null;
  return limit === null ? bytes(used) : `${bytes(used)}/${bytes(limit)}`;
}

function describePrograms(one: ContainerRecord): string {
  const running = one.programs.filter((program) => program.processes > 0);
  return running
    .map((program) => (program.processes > 1 ? `${program.name}(${program.processes})` : program.name))
    .join(" ");
}
