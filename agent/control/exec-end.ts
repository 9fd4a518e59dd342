import { setTimeout as delay } from "node:timers/promises";
import type { AttachedExec, ExecStatus } from "../containers/runtime.ts";
import { type Container, formatRef, type ProcessRef, type TargetProcess } from "../model.ts";
import type { SignalName } from "../signal-names.ts";
import { type SignalParts, sendSignals } from "./signal.ts";

export interface ExecEndParts extends SignalParts {
  /** The living processes of a container, by a scan that begins now. */
  readonly processesOf: (containerId: string) => Promise<readonly TargetProcess[]>;
  /** Whether the process sits in the container's cgroup at this moment. */
  readonly isInside: (pid: number, container: Container) => boolean;
  /** See session-id.ts. */
  readonly readSession: (pid: number) => number | undefined;
}

/** How often the engine is asked for what is about to come; it takes some 100 ms to start a command. */
const lookEveryMs = 20;
const longestLookMs = 250;
/** An engine that has not started a command by then is stuck. */
const startLimitMs = 60_000;
/** Forks between a scan and the signals need another round; a fork bomb ends by the container's own limits. */
const rounds = 5;

const sigkill: SignalName = { name: "SIGKILL", number: 9 };

/**
 * The process of an exec, as soon as the engine has started it. The engine's PID is the host's; that it still runs after
 * the start time was read says that the time is this process's.
 * @returns undefined when it has ended before, or could not be started
 * @throws AgentError when the engine does not answer
 */
export async function refOfExec(
  exec: Pick<AttachedExec, "status">,
  parts: ExecEndParts,
): Promise<ProcessRef | undefined> {
  const deadline = parts.monotonicMs() + startLimitMs;
  while (parts.monotonicMs() < deadline) {
    const status = await exec.status();
    if (status === undefined || !status.running) return undefined;
    const stat = status.pid === null ? undefined : parts.readStat(status.pid);
    if (status.pid !== null && stat !== undefined) {
      const after = await exec.status();
      return after?.running === true && after.pid === status.pid
        ? { pid: status.pid, startTicks: stat.startTicks }
        : undefined;
    }
    await delay(lookEveryMs);
  }
  return undefined;
}

/** Waits until the engine has noted the exec's end. Undefined: it has forgotten it. @throws AgentError as `status` does */
export async function statusAtEnd(
  exec: Pick<AttachedExec, "status">,
  giveUp: AbortSignal,
): Promise<ExecStatus | undefined> {
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, longestLookMs)) {
    const status = await exec.status();
    if (status === undefined || !status.running) return status;
    await delay(waitMs, undefined, { signal: giveUp });
  }
}

/**
 * Ends the process of an exec and what came from it: its descendants and the members of its session, also those whose
 * parent has ended. What has left both, as a daemon does on purpose, is on its own. Only processes in the container's
 * cgroup are signalled, each held by pidfd.
 * @param gentle sent first; what has not ended after the grace gets KILL
 * @throws AgentError as `sendSignals` does: `failed` when one outlives KILL, as in a paused container
 */
export async function endExec(
  ref: ProcessRef,
  container: Container,
  gentle: SignalName,
  graceSeconds: number,
  parts: ExecEndParts,
): Promise<void> {
  const seen = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const family = await familyOf(ref, container, seen, parts);
    if (family.length === 0) return;
    for (const member of family) seen.add(formatRef(member.ref));
    const order =
      round === 0
        ? { targets: family, signal: gentle, graceSeconds }
        : { targets: family, signal: sigkill, graceSeconds: undefined };
    await sendSignals(order, parts);
  }
}

/** @param seen members found earlier: what was forked since may have no other tie */
async function familyOf(
  ref: ProcessRef,
  container: Container,
  seen: ReadonlySet<string>,
  parts: ExecEndParts,
): Promise<readonly TargetProcess[]> {
  const processes = withLeader(ref, container, await parts.processesOf(container.id), parts);
  const atPid = parts.readStat(ref.pid);
  // Under another life of the PID, sessions of that number are not this one's.
  const isReused = atPid !== undefined && atPid.startTicks !== ref.startTicks;
  const members = new Map<number, TargetProcess>();
  for (const process of processes) {
    const own = process.ref;
    if (own.startTicks < ref.startTicks) continue;
    const isLeader = own.pid === ref.pid && own.startTicks === ref.startTicks;
    const isOfSession = !isReused && parts.readSession(own.pid) === ref.pid;
    if (isLeader || isOfSession || seen.has(formatRef(own))) members.set(own.pid, process);
  }
  // Parents need not stand before their children: PIDs wrap around.
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    for (const process of processes) {
      if (members.has(process.parentPid) && process.ref.startTicks >= ref.startTicks)
        members.set(process.ref.pid, process);
    }
  }
  return [...members.values()];
}

/**
 * The engine's helper joins the container's cgroups some moments before it becomes the command: a scan that caught it in
 * between does not count it to the container. So the first process is looked at by itself.
 */
function withLeader(
  ref: ProcessRef,
  container: Container,
  processes: readonly TargetProcess[],
  parts: ExecEndParts,
): readonly TargetProcess[] {
  if (processes.some((process) => process.ref.pid === ref.pid)) return processes;
  const stat = parts.readStat(ref.pid);
  const hasEnded =
    stat === undefined || stat.startTicks !== ref.startTicks || stat.state === "Z".charCodeAt(0);
  if (hasEnded || !parts.isInside(ref.pid, container)) return processes;
  const leader: TargetProcess = {
    ref,
    name: "exec",
    parentPid: 0,
    kernelThread: false,
    container,
    authority: container,
    program: "",
    init: false,
  };
  return [leader, ...processes];
}
