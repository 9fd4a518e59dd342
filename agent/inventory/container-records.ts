import type { ContainerList, ContainerRecord, ContainerResources, ProgramRecord } from "../api.ts";
import type { Container, ProgramTotals, Snapshot } from "../model.ts";
import { readable, roundCores, toContainerName, toManagedRecords } from "./records.ts";
import { rowsOfContainer } from "./selector.ts";

/** Reads a container's cgroup files now; null when it does not run or they cannot be found. */
export type ReadResources = (container: Container, anyCgroupText: string) => ContainerResources | null;

export function listContainers(snapshot: Snapshot, readResources: ReadResources): ContainerList {
  const containers = snapshot.containers
    .map((_, index) => toContainerRecord(index, snapshot, readResources))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return { takenAt: new Date(snapshot.takenAt).toISOString(), total: containers.length, containers };
}

/** @param index into `Snapshot.containers` */
export function toContainerRecord(
  index: number,
  snapshot: Snapshot,
  readResources: ReadResources,
): ContainerRecord {
  const container = snapshot.containers[index];
  if (container === undefined) throw new RangeError(`no container at ${index}`);
  const rows = rowsOfContainer(index, snapshot);
  const own = snapshot.programs.filter((program) => program.container === index);
  const isZombie = (row: number): boolean => snapshot.table.state[row] === "Z".charCodeAt(0);
  const [first] = rows;
  return {
    ...toContainerName(container),
    state: container.state,
    known: container.known,
    labels: container.labels,
    initPid: container.initPid,
    startedAt: isoOrNull(container.startedAt),
    restartCount: container.restartCount,
    restartPolicy: container.restartPolicy,
    exitCode: container.exitCode,
    oomKilled: container.oomKilled,
    processes: rows.length,
    zombies: rows.filter(isZombie).length,
    cpuCores: roundCores(own.reduce((sum, program) => sum + program.cpuCores, 0)) ?? 0,
    resources: first === undefined ? null : readResources(container, snapshot.table.cgroup[first] ?? ""),
    programs: own.map(toProgramRecord).sort((a, b) => (a.name < b.name ? -1 : 1)),
    managed: toManagedRecords(snapshot, index, null),
  };
}

function toProgramRecord(program: ProgramTotals): ProgramRecord {
  return {
    name: program.name,
    processes: program.processes,
    threads: program.threads,
    cpuSeconds: { user: program.userSeconds, system: program.systemSeconds },
    cpuCores: roundCores(program.cpuCores),
    residentBytes: program.residentBytes,
    openFiles: readable(program.openFiles),
    startedAt: isoOrNull(readable(program.oldestStartSeconds * 1000)),
  };
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
