import { setImmediate } from "node:timers/promises";
import { type Container, exitReasons, type Snapshot } from "../../../model.ts";
import {
  type CgroupAccounts,
  type CgroupLimits,
  type CpuAccount,
  type DeviceAccount,
  type MemoryAccount,
  type PressureAccount,
  type PressureResource,
  pressureResources,
} from "../../../source/cgroupfs/accounting.ts";
import { createPauses } from "../../../source/pauses.ts";
import type { CgroupBound, CgroupCandidate } from "./cgroup-bound.ts";
import { type CgroupPlaceParts, createCgroupPlaces } from "./cgroup-places.ts";
import { createOomTotals } from "./oom-totals.ts";
import { createRowGroups, type ProcessSums, type RowGroups, sumProcesses } from "./process-sums.ts";
import { subjectLabels } from "./subject-labels.ts";

/** A cgroup with what was read of it for the collectors that are on; undefined: off, or the kernel has it not. */
export interface CgroupSubject {
  readonly path: string;
  /** Undefined for cgroups that are no container's own, and for containers that no runtime knows. */
  readonly container: Container | undefined;
  /** Index into `Snapshot.containers`; -1 for the others. */
  readonly index: number;
  /** The text of its labels. */
  readonly labels: string;
  /** Its processes, as rows of the table; of a container with those below it. */
  readonly rows: readonly number[];
  /** Milliseconds since the epoch; a guess for what is no container. */
  readonly createdMs: number;
  readonly cpu: CpuAccount | undefined;
  readonly memory: MemoryAccount | undefined;
  readonly devices: readonly DeviceAccount[] | undefined;
  readonly limits: CgroupLimits | undefined;
  readonly tasks: number | undefined;
  readonly processes: ProcessSums | undefined;
  readonly oomEvents: number | undefined;
  readonly pressure: Readonly<Record<PressureResource, PressureAccount | undefined>> | undefined;
}

export interface CgroupSubjectParts extends CgroupPlaceParts {
  readonly accounts: CgroupAccounts;
  readonly isUnified: boolean;
  /** By a collector's name. */
  readonly isOn: (collector: string) => boolean;
  readonly isLabelWanted: (label: string) => boolean;
  /** Which are shown: the others are not read. */
  readonly choose: CgroupBound["choose"];
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** The cgroups of the host. All collectors of the group share one reading of a snapshot. */
export interface CgroupSubjects {
  of(snapshot: Snapshot): Promise<readonly CgroupSubject[]>;
}

/** Limits hardly ever change: they are read again after this time, and when the engine tells of a change. */
const limitsHoldMs = 60_000;

/** What is kept of a cgroup from one reading to the next. */
interface Kept {
  /** As its files tell it; undefined where they do not. */
  life: number | undefined;
  inode: number;
  createdMs: number;
  container: Container | undefined;
  labels: string;
  limits: CgroupLimits | undefined;
  limitsAt: number;
}

export function createCgroupSubjects(parts: CgroupSubjectParts): CgroupSubjects {
  const reader = createReader(parts);
  let last: { readonly snapshot: Snapshot; readonly subjects: Promise<readonly CgroupSubject[]> } | undefined;
  return {
    of: async (snapshot) => {
      const subjects = await readOnce(snapshot);
      // Each collector makes thousands of series of them: others have their turn in between.
      await setImmediate();
      return subjects;
    },
  };

  function readOnce(snapshot: Snapshot): Promise<readonly CgroupSubject[]> {
    if (last?.snapshot === snapshot) return last.subjects;
    // One reading after the other: they share what is kept of the cgroups.
    const before = last?.subjects.catch(() => undefined);
    const subjects = before === undefined ? reader(snapshot) : before.then(() => reader(snapshot));
    last = { snapshot, subjects };
    return subjects;
  }
}

function createReader(parts: CgroupSubjectParts): (snapshot: Snapshot) => Promise<readonly CgroupSubject[]> {
  const { accounts, monotonicMs } = parts;
  const groupRows = createRowGroups(parts.isUnified);
  const known = new Map<string, Kept>();
  const readFigures = createFiguresReader(parts);
  const limitsOf = createLimitsReader(parts);
  const wantsProcesses = parts.isOn("process") || parts.isOn("load");
  const findCgroups = createCgroupPlaces(parts);
  const ooms = createOomTotals(monotonicMs);
  return async (snapshot) => {
    const rows = groupRows(snapshot);
    const places = await findCgroups(snapshot, rows.ofContainer.keys());
    const pause = createPauses(monotonicMs);
    const ends = oomEnds(snapshot);
    const subjects: CgroupSubject[] = [];
    const seen = new Set<string>();
    const candidates = places.map(
      ({ path, index }): CgroupCandidate => ({
        path,
        index,
        residentBytes: () => residentBytes(rowsOf(path, index, rows), snapshot),
      }),
    );
    for (const { path, index } of parts.choose(candidates)) {
      const wait = pause();
      if (wait !== undefined) await wait;
      const figures = readFigures(path, index);
      const kept = keep(known, path, snapshot.containers[index], parts);
      if (kept === undefined) continue;
      seen.add(path);
      const id = snapshot.containers[index]?.id;
      const oomEvents =
        id !== undefined
          ? ooms.total(id, kept.inode, figures.oomEvents, ends[index] ?? 0)
          : figures.oomEvents;
      const own = rowsOf(path, index, rows);
      // Property by property: V8 takes a hundred times as long for a spread that others follow.
      subjects.push({
        cpu: figures.cpu,
        memory: figures.memory,
        devices: figures.devices,
        tasks: figures.tasks,
        pressure: figures.pressure,
        path,
        container: kept.container?.known === true ? kept.container : undefined,
        index,
        labels: kept.labels,
        rows: own,
        createdMs: kept.createdMs,
        limits: limitsOf(path, kept),
        processes: wantsProcesses ? sumProcesses(own, snapshot.table) : undefined,
        oomEvents,
      });
    }
    for (const path of known.keys()) if (!seen.has(path)) known.delete(path);
    accounts.sweep();
    ooms.keep(new Set(snapshot.containers.map(({ id }) => id)));
    return subjects;
  };
}

/** Call it when its files have been read. @returns undefined when the cgroup is gone */
function keep(
  known: Map<string, Kept>,
  path: string,
  container: Container | undefined,
  { accounts, isLabelWanted }: CgroupSubjectParts,
): Kept | undefined {
  const life = accounts.lifeOf(path);
  let kept = known.get(path);
  if (kept !== undefined && life !== undefined && kept.life === life && kept.container === container)
    return kept;
  const stat = accounts.stat(path);
  if (stat === undefined) return undefined;
  const { inode, changedMs } = stat;
  if (kept === undefined || kept.inode !== inode || kept.container !== container) {
    const labels = subjectLabels(path, container?.known === true ? container : undefined, isLabelWanted);
    const createdMs = kept?.inode === inode ? kept.createdMs : changedMs;
    const none = { limits: undefined, limitsAt: Number.NEGATIVE_INFINITY };
    kept = { life, inode, createdMs, container, labels, ...none };
    known.set(path, kept);
  }
  kept.life = life;
  // A folder is changed by what is made in it: the earliest time is the nearest to its making.
  kept.createdMs = Math.min(kept.createdMs, changedMs);
  return kept;
}

/** What is read of a cgroup in each round. */
type Figures = Pick<CgroupSubject, "cpu" | "memory" | "devices" | "tasks" | "oomEvents" | "pressure">;

/** Reads only what a collector that is on shows. */
function createFiguresReader({
  accounts,
  isOn,
}: CgroupSubjectParts): (path: string, index: number) => Figures {
  return (path, index) => ({
    cpu: isOn("cpu") ? accounts.cpu(path) : undefined,
    memory: isOn("memory") ? accounts.memory(path) : undefined,
    devices: isOn("diskio") ? accounts.devices(path) : undefined,
    // A container's tasks are in the table.
    tasks: isOn("process") && index === -1 ? accounts.tasks(path) : undefined,
    oomEvents: isOn("oom") ? accounts.oomKills(path) : undefined,
    pressure: isOn("pressure") ? readPressure(accounts, path) : undefined,
  });
}

function createLimitsReader({
  accounts,
  isOn,
  monotonicMs,
}: CgroupSubjectParts): (path: string, kept: Kept) => CgroupLimits | undefined {
  const isWanted = isOn("cpu") || isOn("spec") || isOn("process");
  return (path, kept) => {
    if (isWanted && monotonicMs() - kept.limitsAt > limitsHoldMs) {
      kept.limits = accounts.limits(path);
      kept.limitsAt = monotonicMs();
    }
    return kept.limits;
  };
}

/** Of a container with those below it. */
function rowsOf(path: string, index: number, rows: RowGroups): readonly number[] {
  return (index === -1 ? rows.ofPath.get(path) : rows.ofContainer.get(index)) ?? [];
}

function residentBytes(rows: readonly number[], { table }: Snapshot): number {
  return rows.reduce((sum, row) => sum + (table.residentBytes[row] || 0), 0);
}

function readPressure(accounts: CgroupAccounts, path: string): CgroupSubject["pressure"] {
  const [cpu, memory, io] = pressureResources.map((resource) => accounts.pressure(path, resource));
  return { cpu, memory, io };
}

/** Ends by the OOM killer that were seen, by container. */
function oomEnds({ containers, programs }: Snapshot): readonly number[] {
  const ends = containers.map(() => 0);
  const oom = exitReasons.indexOf("oom");
  for (const { container, exits } of programs) {
    if (container !== -1) ends[container] = (ends[container] ?? 0) + (exits[oom] ?? 0);
  }
  return ends;
}
