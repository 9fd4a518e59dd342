import { readFileSync } from "node:fs";
import { systemCode } from "../../agent/errors.ts";

/**
 * A file of /proc/PID, read once: a process can end between two looks, and between the opening of its file and the reading.
 * @returns undefined when the process is not there
 */
export function readOfProcess(pid: number | string, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

/**
 * Whether it runs: a zombie has ended, and so has what is about to be taken away (state X, proc_pid_stat(5)).
 * @param process a PID, or the ref of one life of it
 */
export function isAlive(process: number | string): boolean {
  const [pid = "", startTicks] = String(process).split("@");
  const stat = readOfProcess(pid, "stat");
  if (stat === undefined) return false;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const isEnded = ["Z", "X", "x"].includes(fields[0] ?? "");
  return !isEnded && (startTicks === undefined || fields[19] === startTicks);
}

/** The kernel's word: an agent may keep for a while what a shell was before it became another shell. Empty: it is gone. */
export function argvOf(pid: number): readonly string[] {
  const text = readOfProcess(pid, "cmdline") ?? "";
  return text === "" ? [] : text.replace(/\0$/, "").split("\0");
}

const numbers = { HUP: 1n, TERM: 15n } as const;

/** Whether it has a handler: a shell that has not come to its trap yet just ends. */
export function catchesSignal(pid: number, signal: keyof typeof numbers): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readOfProcess(pid, "status") ?? "")?.[1];
  return ((BigInt(`0x${mask ?? "0"}`) >> (numbers[signal] - 1n)) & 1n) === 1n;
}
