import type { Container, ExitReason, KernelUnits, Snapshot } from "../model.ts";
import { startedAtMs } from "../model.ts";
import type { ExitRecord } from "../source/exits/exit-source.ts";
import { isAbovePrograms, isRuntime, type ProgramNamer } from "./programs.ts";
import type { ResolveContainer } from "./tracker.ts";

/** Boot time is known to a second, so a start that is known otherwise can differ by this. */
const startToleranceMs = 1_500;

/** Whose a process was. */
export interface Owner {
  readonly startTicks: number | null;
  readonly name: string;
  readonly container: Container | null;
  readonly program: string;
  /** A scan has seen it. */
  readonly wasSeen: boolean;
}

export interface AttributionParts {
  readonly resolve: ResolveContainer;
  readonly namer: Pick<ProgramNamer, "match">;
  readonly units: KernelUnits;
}

/**
 * Whose a process was that has ended: what the snapshot says of it; else its cgroup's container, and the program of
 * its nearest ancestor in there, found as for living processes.
 */
export function attributeExit(exit: ExitRecord, snapshot: Snapshot, parts: AttributionParts): Owner {
  const row = findExited(exit, snapshot, parts.units);
  let container = exit.cgroup === null ? undefined : (parts.resolve(exit.cgroup)?.container ?? null);
  // A scan can have met a process in its last moments, when its cgroup could not be read any more; or in its first ones,
  // when it was not in its parent's cgroup yet (cgroup_post_fork() of the kernel comes after it can be seen).
  if (row !== undefined && snapshot.table.cgroup[row] !== "") {
    const seen = ownerOfRow(row, snapshot);
    if (container === undefined || container?.id === seen.container?.id) return seen;
  }
  let below = exit.name;
  let program: string | undefined;
  for (const ancestor of exit.ancestors) {
    const at = snapshot.rowByPid.get(ancestor.pid);
    const isSame =
      at !== undefined &&
      (ancestor.startTicks === null || snapshot.table.startTicks[at] === ancestor.startTicks);
    if (!isSame) {
      const isInit = ancestor.pid === container?.initPid;
      if (isInit || (ancestor.name !== null && isRuntime(ancestor.name))) break;
      below = ancestor.name ?? below;
      continue;
    }
    const own = snapshot.containers[snapshot.containerOf[at] ?? -1] ?? null;
    if (container === undefined) container = own;
    const isInside = own?.id === container?.id && !isAbovePrograms(at, snapshot);
    program = isInside || below === null ? ownerOfRow(at, snapshot).program : below;
    break;
  }
  const name = exit.name ?? program ?? "";
  const labelled = container && exit.name !== null ? parts.namer.match(container, exit.name) : undefined;
  return {
    startTicks: exit.startTicks,
    name,
    container: container ?? null,
    program: labelled ?? program ?? below ?? name,
    wasSeen: row !== undefined,
  };
}

/** What the snapshot says of a row. */
export function ownerOfRow(row: number, snapshot: Snapshot): Owner {
  const { table } = snapshot;
  return {
    startTicks: table.startTicks[row] ?? 0,
    name: table.name[row] ?? "",
    container: snapshot.containers[snapshot.containerOf[row] ?? -1] ?? null,
    program: snapshot.programs[snapshot.programOf[row] ?? -1]?.name ?? "",
    wasSeen: true,
  };
}

function findExited(exit: ExitRecord, snapshot: Snapshot, units: KernelUnits): number | undefined {
  const row = snapshot.rowByPid.get(exit.pid);
  if (row === undefined) return undefined;
  const startTicks = snapshot.table.startTicks[row] ?? 0;
  if (exit.startTicks !== null) return exit.startTicks === startTicks ? row : undefined;
  if (exit.lifetimeSeconds === null) return row;
  const startedAt = exit.endedAt - exit.lifetimeSeconds * 1000;
  return Math.abs(startedAtMs(startTicks, units) - startedAt) < startToleranceMs ? row : undefined;
}

/** How it ended; wait(2): the low seven bits are the signal, the next byte the exit code. */
export function exitOutcome(status: number | null): {
  readonly exitCode: number | null;
  readonly signal: number | null;
} {
  if (status === null) return { exitCode: null, signal: null };
  const signal = status & 0x7f;
  return signal === 0 ? { exitCode: (status >> 8) & 0xff, signal: null } : { exitCode: null, signal };
}

export function exitReason(status: number | null, oomKilled: boolean | null): ExitReason {
  const { exitCode, signal } = exitOutcome(status);
  if (signal !== null) return oomKilled === true ? "oom" : "signal";
  if (exitCode === null) return "unknown";
  return exitCode === 0 ? "exit_0" : "exit_nonzero";
}
