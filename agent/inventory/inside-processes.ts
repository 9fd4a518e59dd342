import type { InsideProcess } from "../managers/manager.ts";
import { isManagerSign } from "../managers/manager-sign.ts";
import type { ProcessTable } from "../model.ts";

/** Whether a row looks like a process manager or a helper of one. */
export function isManagerRow(row: number, { name, command }: ProcessTable): boolean {
  return isManagerSign(name[row] ?? "", command[row] ?? null);
}

/** A row as the managers' finders want it. */
export function toInside(row: number, table: ProcessTable): InsideProcess {
  const containerPid = table.containerPid[row] ?? 0;
  return {
    ref: { pid: table.pid[row] ?? 0, startTicks: table.startTicks[row] ?? 0 },
    parentPid: table.parentPid[row] ?? 0,
    containerPid: containerPid > 0 ? containerPid : null,
    name: table.name[row] ?? "",
    command: table.command[row] ?? null,
    cgroup: table.cgroup[row] ?? "",
  };
}
