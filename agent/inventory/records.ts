import type { ContainerName, ManagedRecord, ProcessName, ProcessRecord } from "../api.ts";
import {
  type Container,
  containerLabel,
  formatRef,
  type KernelUnits,
  processState,
  type Snapshot,
  startedAtMs,
} from "../model.ts";
import { refOf } from "./selector.ts";
import type { UserNames } from "./users.ts";

export interface RecordContext {
  readonly units: KernelUnits;
  readonly users: UserNames;
  /** What of a command line is shown. */
  readonly showCommand: (argv: readonly string[]) => readonly string[];
}

/** Makes the API's record of one row; see `ProcessRecord` for the fields. */
export function toProcessRecord(row: number, snapshot: Snapshot, context: RecordContext): ProcessRecord {
  const { table } = snapshot;
  const ref = refOf(row, snapshot);
  const container = snapshot.containers[snapshot.containerOf[row] ?? -1];
  const containerPid = table.containerPid[row] ?? 0;
  const command = table.command[row] ?? null;
  const userId = readable(table.userId[row]);
  return {
    ref: formatRef(ref),
    pid: ref.pid,
    startTicks: ref.startTicks,
    startedAt: new Date(startedAtMs(ref.startTicks, context.units)).toISOString(),
    parentPid: table.parentPid[row] ?? 0,
    containerPid: containerPid > 0 ? containerPid : null,
    name: table.name[row] ?? "",
    command: command === null ? null : context.showCommand(command),
    state: processState(table.state[row] ?? 0),
    user: userId === null ? null : { id: userId, name: context.users.nameOf(userId) ?? null },
    container: container === undefined ? null : toContainerName(container),
    program: snapshot.programs[snapshot.programOf[row] ?? -1]?.name ?? "",
    cpuSeconds: { user: table.userSeconds[row] ?? 0, system: table.systemSeconds[row] ?? 0 },
    cpuCores: roundCores(snapshot.cpuCores[row]),
    residentBytes: table.residentBytes[row] ?? 0,
    virtualBytes: table.virtualBytes[row] ?? 0,
    swapBytes: readable(table.swapBytes[row]),
    threads: table.threads[row] ?? 0,
    openFiles: readable(table.openFiles[row]),
    openFilesLimit: readable(table.openFilesLimit[row]),
    readBytes: readable(table.readBytes[row]),
    writtenBytes: readable(table.writtenBytes[row]),
  };
}

export function toContainerName(container: Container): ContainerName {
  return {
    id: container.id,
    name: containerLabel(container),
    image: container.image,
    runtime: container.runtime,
  };
}

/** @param index of its container, null for all; @param program its name, null for all */
export function toManagedRecords(
  snapshot: Snapshot,
  index: number | null,
  program: string | null,
): readonly ManagedRecord[] {
  return snapshot.managed.flatMap(({ container: at, name, ...said }) => {
    const container = snapshot.containers[at];
    const fits = (index === null || at === index) && (program === null || name === program);
    if (container === undefined || !fits) return [];
    return [{ container: toContainerName(container), program: name, ...said }];
  });
}

export function toProcessName(row: number, snapshot: Snapshot): ProcessName {
  return { ref: formatRef(refOf(row, snapshot)), name: snapshot.table.name[row] ?? "" };
}

/** Null for what could not be read and for "unlimited", neither of which JSON can say as a number. */
export function readable(figure: number | undefined): number | null {
  return figure === undefined || !Number.isFinite(figure) ? null : figure;
}

/** Cores to a thousandth of a percent: the clock's ticks give no more. */
export function roundCores(cores: number | undefined): number | null {
  return cores === undefined || !Number.isFinite(cores) ? null : Math.round(cores * 1e5) / 1e5;
}
