import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { AgentError, systemCode } from "../errors.ts";
import { formatRef, type ProcessRef } from "../model.ts";
import type { Syscalls } from "../syscalls.ts";

/** How often a process is looked at while its end is awaited. A look costs less than a microsecond with a pidfd. */
const lookEveryMs = 20;

/** What the kernel says of a PID now: field 22 and field 3 of /proc/PID/stat. */
export interface LiveStat {
  readonly startTicks: number;
  /** Character code of the state's letter. */
  readonly state: number;
}

export interface ProcessHandleParts {
  /** Undefined where koffi cannot load: the start time is then re-checked right before each signal, and a PID that is
   * reused in between is a race that remains. */
  readonly syscalls: Syscalls | undefined;
  /** Undefined when no such process exists. */
  readonly readStat: (pid: number) => LiveStat | undefined;
}

/** One life of a process, held: what is done to it cannot hit a later process of the same PID. */
export interface ProcessHandle {
  /**
   * False when the process has ended.
   * @throws AgentError `no_rights` when the kernel refuses
   */
  signal(number: number): boolean;
  /** It has ended, be it as a zombie that its parent has not reaped. */
  exited(): boolean;
  close(): void;
}

/** Holds a process; undefined when this life has ended. The caller closes the handle. */
export function openProcess(ref: ProcessRef, parts: ProcessHandleParts): ProcessHandle | undefined {
  const { syscalls } = parts;
  return syscalls === undefined ? openByCheck(ref, parts) : openByPidfd(ref, parts, syscalls);
}

function openByPidfd(
  ref: ProcessRef,
  parts: ProcessHandleParts,
  syscalls: Syscalls,
): ProcessHandle | undefined {
  const pidfd = syscalls.openPidfd(ref.pid);
  if (pidfd === undefined) return undefined;
  // Checked after the pidfd is open: from here on the descriptor stands for this life only.
  if (parts.readStat(ref.pid)?.startTicks !== ref.startTicks) {
    closeSync(pidfd);
    return undefined;
  }
  return {
    signal: (number) => withRef(ref, () => syscalls.signalPidfd(pidfd, number)),
    exited: () => syscalls.pidfdExited(pidfd),
    close: () => closeSync(pidfd),
  };
}

function openByCheck(ref: ProcessRef, parts: ProcessHandleParts): ProcessHandle | undefined {
  const ended = (): boolean => {
    const stat = parts.readStat(ref.pid);
    if (stat === undefined || stat.startTicks !== ref.startTicks) return true;
    return stat.state === "Z".charCodeAt(0) || stat.state === "X".charCodeAt(0);
  };
  if (parts.readStat(ref.pid)?.startTicks !== ref.startTicks) return undefined;
  return {
    signal: (number) =>
      withRef(ref, () => {
        if (ended()) return false;
        try {
          return process.kill(ref.pid, number);
        } catch (error) {
          const code = systemCode(error);
          if (code === "ESRCH") return false;
          throw new AgentError("no_rights", `the kernel refused signal ${number}: ${code}`, { cause: error });
        }
      }),
    exited: ended,
    close: () => {},
  };
}

function withRef(ref: ProcessRef, send: () => boolean): boolean {
  try {
    return send();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    throw new AgentError(error.code, `${formatRef(ref)}: ${error.message}`, { cause: error });
  }
}

/** Waits until the process has ended, at most so long. @returns whether it has */
export async function waitForExit(
  handle: ProcessHandle,
  limitMs: number,
  monotonicMs: () => number,
): Promise<boolean> {
  const deadline = monotonicMs() + limitMs;
  while (!handle.exited()) {
    const left = deadline - monotonicMs();
    if (left <= 0) return false;
    await delay(Math.min(lookEveryMs, left));
  }
  return true;
}
