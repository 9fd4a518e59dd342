import { AgentError } from "../errors.ts";
import type { ProcessRef } from "../model.ts";
import type { ManagerParts } from "./manager.ts";

/**
 * Asked when something of a manager's process is open: what was opened is of that life if it lives still.
 * @throws AgentError `unavailable` when it has ended, or is stopped: what is written to one would count when it goes on
 */
export function requireLife(ref: ProcessRef, parts: Pick<ManagerParts, "readStat">): void {
  const stat = parts.readStat(ref.pid);
  if (stat?.startTicks !== ref.startTicks) throw new AgentError("unavailable", "it has ended");
  if (stoppedStates.has(String.fromCharCode(stat.state)))
    throw new AgentError("unavailable", "it is stopped (SIGSTOP or a debugger) and would not answer");
}

/** The kernel's letters of proc_pid_stat(5). */
const stoppedStates: ReadonlySet<string> = new Set(["T", "t"]);
