import type { ManagedRecord, ProcessList, ProcessRecord } from "../../api.ts";
import { processSorts } from "../../api.ts";
import { type Command, jsonFlag, runAlone, type TableCommand } from "../command.ts";
import { type Colour, type Column, formatHostTable } from "../table.ts";
import { age, bytes, count, percent } from "../text.ts";

export const ps: Command = {
  name: "ps",
  args: "[SELECTOR]",
  least: 0,
  most: 1,
  summary: "processes with their container and program",
  flags: [
    { name: "sort", value: "KEY", meaning: `one of ${processSorts.join(", ")}` },
    { name: "order", value: "asc|desc", meaning: "figures descend and names ascend unless told" },
    { name: "limit", value: "COUNT", meaning: "show only so many" },
    { name: "container", value: "NAME", meaning: "only of this container" },
    { name: "program", value: "NAME", meaning: "only of this program" },
    { name: "name", value: "NAME", meaning: "only processes of this name" },
    { name: "user", value: "USER", meaning: "only of this user (name or id)" },
    { name: "state", value: "STATE", meaning: "only in this state" },
    { name: "wide", value: "", meaning: "more columns: PID inside, parent, open files, I/O" },
    jsonFlag,
  ],
  run: (input) => runAlone(table, input),
  across: () => table,
};

const queried = ["sort", "order", "limit", "container", "program", "name", "user", "state"];

const table: TableCommand<ProcessList> = {
  ask: ({ api, args, flags }) => {
    const filters = Object.fromEntries(queried.map((name) => [name, flags.get(name)]));
    return api.get("/api/v1/processes", { selector: args[0], ...filters });
  },
  show: (answers, { flags, out, table: settings }) => {
    const processes = answers.map(({ host, answer }) => ({
      host,
      columns: processColumns(answer.takenAt, flags.has("wide")),
      rows: answer.processes,
    }));
    out(formatHostTable(processes, settings));
    const managed = answers.map(({ host, answer }) => ({
      host,
      columns: managedColumns,
      rows: answer.managed,
    }));
    if (managed.some(({ rows }) => rows.length > 0)) out(`\n${formatHostTable(managed, settings)}`);
  },
};

/** @param nowIso the moment that ages are counted to */
export function processColumns(nowIso: string, wide: boolean): readonly Column<ProcessRecord>[] {
  const columns: Column<ProcessRecord>[] = [
    { header: "PID", align: "right", cell: (one) => String(one.pid) },
    { header: "CONTAINER", most: 20, cell: (one) => one.container?.name ?? "-" },
    { header: "PROGRAM", most: 16, cell: (one) => one.program },
    { header: "USER", most: 12, cell: (one) => one.user?.name ?? count(one.user?.id ?? null) },
    { header: "STATE", cell: (one) => one.state, colour: (one) => stateColour(one.state) },
    { header: "CPU%", align: "right", cell: (one) => percent(one.cpuCores) },
    { header: "RSS", align: "right", cell: (one) => bytes(one.residentBytes) },
  ];
  const more: Column<ProcessRecord>[] = [
    { header: "INSIDE", align: "right", cell: (one) => count(one.containerPid) },
    { header: "PARENT", align: "right", cell: (one) => String(one.parentPid) },
    { header: "THREADS", align: "right", cell: (one) => String(one.threads) },
    { header: "FILES", align: "right", cell: (one) => count(one.openFiles) },
    { header: "READ", align: "right", cell: (one) => bytes(one.readBytes) },
    { header: "WRITTEN", align: "right", cell: (one) => bytes(one.writtenBytes) },
  ];
  return [
    ...columns,
    ...(wide ? more : []),
    { header: "AGE", align: "right", cell: (one) => age(one.startedAt, nowIso) },
    { header: "COMMAND", cell: commandOf },
  ];
}

/** What process managers say, of programs without a process too. */
export const managedColumns: readonly Column<ManagedRecord>[] = [
  { header: "CONTAINER", most: 20, cell: (one) => one.container.name },
  { header: "PROGRAM", most: 32, cell: (one) => one.program },
  { header: "MANAGER", cell: (one) => one.manager },
  { header: "STATE", cell: (one) => one.state, colour: (one) => conditionColours[one.condition] },
  { header: "PID", align: "right", cell: (one) => count(one.pid) },
  { header: "REMARK", cell: (one) => one.remark ?? "" },
];

const conditionColours: Readonly<Record<ManagedRecord["condition"], Colour | undefined>> = {
  running: undefined,
  stopped: "dim",
  changing: "yellow",
  failed: "red",
};

/** Kernel threads and what cannot be read are shown by name, in brackets as ps(1) does. */
export function commandOf(one: ProcessRecord): string {
  return one.command === null || one.command.length === 0 ? `[${one.name}]` : one.command.join(" ");
}

function stateColour(state: string): Colour | undefined {
  if (state === "zombie" || state === "dead") return "red";
  return state === "uninterruptible" || state === "stopped" || state === "traced" ? "yellow" : undefined;
}
