import type { ContainerRecord, ProcessDetail, ProcessList, ProcessRecord, ProgramRecord } from "../../api.ts";
import { type Command, type CommandInput, jsonFlag, printedJson } from "../command.ts";
import { type Column, formatFacts, formatTable } from "../table.ts";
import { age, bytes, count, percent } from "../text.ts";
import { describeMemory, describeState } from "./containers.ts";
import { commandOf, managedColumns, processColumns } from "./ps.ts";

export const status: Command = {
  name: "status",
  args: "SELECTOR",
  least: 1,
  most: 1,
  summary: "all about one process, container or program",
  flags: [jsonFlag],
  run: async (input) => {
    const [selector = ""] = input.args;
    if (/^\d+(@\d+)?$/.test(selector)) return processStatus(selector, input);
    // Asked first: the selector's own errors, with their candidates, come from here.
    const list = await input.api.get<ProcessList>("/api/v1/processes", { selector });
    const [only] = list.processes;
    if (/:\d+$/.test(selector) && only !== undefined) return processStatus(only.ref, input);
    if (selector.includes("/")) return programStatus(selector, list, input);
    return containerStatus(selector, list, input);
  },
  across: () => "sections",
};

async function processStatus(pidOrRef: string, input: CommandInput): Promise<number> {
  const one = await input.api.get<ProcessDetail>(`/api/v1/processes/${encodeURIComponent(pidOrRef)}`);
  if (printedJson(input, one)) return 0;
  const now = new Date(Date.now()).toISOString();
  input.out(
    formatFacts(
      [
        ["process", `${one.ref} ${one.name}`],
        ["command", commandOf(one)],
        ["container", describeContainer(one)],
        ["program", one.program],
        ...describeManaged(one),
        ["state", one.state],
        ...describeZombie(one),
        ["user", one.user === null ? "-" : `${one.user.name ?? "-"} (${one.user.id})`],
        ["started", `${one.startedAt} (${age(one.startedAt, now)} ago)`],
        ["CPU", describeCpu(one)],
        [
          "memory",
          `${bytes(one.residentBytes)} resident, ${bytes(one.virtualBytes)} virtual, ${bytes(one.swapBytes)} swapped`,
        ],
        ["threads", String(one.threads)],
        ["open files", `${count(one.openFiles)} of ${one.openFilesLimit ?? "unlimited"}`],
        ["I/O", `${bytes(one.readBytes)} read, ${bytes(one.writtenBytes)} written`],
        ["page faults", `${count(one.faults.minor)} minor, ${count(one.faults.major)} major`],
        [
          "switches",
          `${count(one.contextSwitches.voluntary)} voluntary, ${count(one.contextSwitches.involuntary)} involuntary`,
        ],
        ["ancestors", one.ancestors.map((each) => `${each.ref} ${each.name}`).join(" < ") || "-"],
        ["children", one.children.map((each) => `${each.ref} ${each.name}`).join(", ") || "-"],
        ["restart", one.restart.driver === null ? `none: ${one.restart.plan}` : one.restart.plan],
      ],
      input.table,
    ),
  );
  return 0;
}

function describeZombie({ zombieOf }: ProcessDetail): readonly (readonly [string, string])[] {
  return zombieOf === null ? [] : [["zombie of", `${zombieOf.ref} ${zombieOf.name}: ${zombieOf.hint}`]];
}

function describeManaged({ managed }: ProcessDetail): [string, string][] {
  if (managed === null) return [];
  const remark = managed.remark === null ? "" : `, ${managed.remark}`;
  return [["manager", `${managed.manager}: ${managed.program} is ${managed.state}${remark}`]];
}

function describeContainer(one: ProcessRecord): string {
  if (one.container === null) return "- (the host's own)";
  const inside = one.containerPid === null ? "" : `, PID ${one.containerPid} inside`;
  return `${one.container.name} (${one.container.id.slice(0, 12)}${inside})`;
}

function describeCpu(one: ProcessDetail): string {
  const now = one.cpuPercentNow === null ? "" : `, ${one.cpuPercentNow}% at this moment`;
  const { user, system } = one.cpuSeconds;
  return `${percent(one.cpuCores)}% of one CPU${now}; ${user.toFixed(2)} s user, ${system.toFixed(2)} s system since its start`;
}

async function containerStatus(name: string, list: ProcessList, input: CommandInput): Promise<number> {
  const one = await input.api.get<ContainerRecord>(`/api/v1/containers/${encodeURIComponent(name)}`);
  if (printedJson(input, one)) return 0;
  const io = one.resources;
  input.out(
    formatFacts(
      [
        ["container", `${one.name} (${one.id})`],
        ["image", one.image ?? "-"],
        ["runtime", one.known ? (one.runtime ?? "-") : "none knows this id: it is shown, not acted upon"],
        ["state", describeState(one)],
        [
          "started",
          one.startedAt === null ? "-" : `${one.startedAt} (${age(one.startedAt, list.takenAt)} ago)`,
        ],
        ["restarts", `${count(one.restartCount)} by policy ${one.restartPolicy ?? "-"}`],
        ["init", one.initPid === null ? "-" : `PID ${one.initPid}`],
        ["processes", `${one.processes}${one.zombies > 0 ? `, ${one.zombies} of them zombies` : ""}`],
        [
          "CPU",
          `${percent(one.cpuCores)}% of one CPU; ${io?.cpuSecondsTotal?.toFixed(2) ?? "-"} s since its start`,
        ],
        ["memory", describeMemory(one)],
        ["I/O", `${bytes(io?.readBytes ?? null)} read, ${bytes(io?.writtenBytes ?? null)} written`],
      ],
      input.table,
    ),
  );
  if (one.managed.length > 0) input.out(`\n${formatTable(managedColumns, one.managed, input.table)}`);
  if (one.programs.length > 0)
    input.out(`\n${formatTable(programColumns(list.takenAt), one.programs, input.table)}`);
  if (list.processes.length > 0) {
    input.out(`\n${formatTable(processColumns(list.takenAt, false), list.processes, input.table)}`);
  }
  return 0;
}

async function programStatus(selector: string, list: ProcessList, input: CommandInput): Promise<number> {
  if (printedJson(input, list)) return 0;
  const container = selector.slice(0, selector.indexOf("/"));
  const one = await input.api.get<ContainerRecord>(`/api/v1/containers/${encodeURIComponent(container)}`);
  const name = selector.slice(selector.indexOf("/") + 1);
  const programs = one.programs.filter((program) => program.name === name);
  input.out(
    formatFacts(
      [
        ["program", name],
        ["container", `${one.name} (${one.id.slice(0, 12)})`],
      ],
      input.table,
    ),
  );
  if (list.managed.length > 0) input.out(`\n${formatTable(managedColumns, list.managed, input.table)}`);
  if (programs.length > 0) input.out(`\n${formatTable(programColumns(list.takenAt), programs, input.table)}`);
  if (list.processes.length > 0) {
    input.out(`\n${formatTable(processColumns(list.takenAt, false), list.processes, input.table)}`);
  } else input.out("no process of it runs\n");
  return 0;
}

function programColumns(nowIso: string): readonly Column<ProgramRecord>[] {
  return [
    { header: "PROGRAM", cell: (one) => one.name },
    { header: "PROCS", align: "right", cell: (one) => String(one.processes) },
    { header: "THREADS", align: "right", cell: (one) => String(one.threads) },
    { header: "CPU%", align: "right", cell: (one) => percent(one.cpuCores) },
    {
      header: "CPU TIME",
      align: "right",
      cell: (one) => `${(one.cpuSeconds.user + one.cpuSeconds.system).toFixed(2)}s`,
    },
    { header: "RSS", align: "right", cell: (one) => bytes(one.residentBytes) },
    { header: "FILES", align: "right", cell: (one) => count(one.openFiles) },
    { header: "OLDEST", align: "right", cell: (one) => age(one.startedAt, nowIso) },
  ];
}
