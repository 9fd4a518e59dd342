import { readdirSync, readFileSync } from "node:fs";
import { systemCode } from "../errors.ts";

/**
 * Host PIDs of a process's children by the PID that each has for itself. What a manager says of its programs' PIDs counts only
 * when it is in here: it can name none but its own children.
 */
export function readChildPids(procRoot: string, parentPid: number): ReadonlyMap<number, number> {
  const children = taskIds(procRoot, parentPid).flatMap((task) =>
    (readText(`${procRoot}/${parentPid}/task/${task}/children`) ?? "").split(" "),
  );
  const pids = new Map<number, number>();
  for (const child of children) {
    // NSpid of proc_pid_status(5): one number for each PID namespace, the innermost last.
    const line = /^NSpid:\s*(.*)$/m.exec(readText(`${procRoot}/${child}/status`) ?? "")?.[1];
    const inside = Number(line?.split("\t").at(-1));
    if (child !== "" && inside > 0) pids.set(inside, Number(child));
  }
  return pids;
}

function taskIds(procRoot: string, pid: number): readonly string[] {
  try {
    return readdirSync(`${procRoot}/${pid}/task`);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ESRCH";
}
