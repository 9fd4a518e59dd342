import type { Logger } from "../log.ts";
import type { Container, KernelUnits, Snapshot } from "../model.ts";
import { nameOfSignal } from "../signal-names.ts";
import type { ExitRecord, ExitSource } from "../source/exits/exit-source.ts";
import { type ContainerChange, compareSnapshots } from "./changes.ts";
import type { EventJournal, NewEvent } from "./event-journal.ts";
import { attributeExit, exitOutcome, exitReason, type Owner, ownerOfRow } from "./exit-attribution.ts";
import { createHeldEvents } from "./held-events.ts";
import type { OomWatch } from "./oom-watch.ts";
import { createProgramNamer, isStarting } from "./programs.ts";
import { toContainerName } from "./records.ts";
import type { ResolveContainer, Tracker } from "./tracker.ts";

/**
 * How long after a look at the source there is another one. When it found no end the next scan looks, which comes a second later
 * by default: each time that the agent wakes, everything that it needs has left the CPU's caches, so that a look at nothing costs
 * as much as one at many ends. The source has room for what ends in a whole second of the worst storm.
 */
const drainAfterMs = { some: 200, none: 1_100 };

/** More are not held until the next scan: a second of the worst fork storm. */
const mostEarly = 20_000;

export interface ExitWatchParts {
  /** Undefined: ends are found by comparing snapshots. */
  readonly source: ExitSource | undefined;
  readonly tracker: Pick<Tracker, "ended">;
  readonly journal: Pick<EventJournal, "add" | "addExit">;
  readonly resolve: ResolveContainer;
  readonly oom: OomWatch;
  readonly units: KernelUnits;
  readonly showCommand: (argv: readonly string[]) => readonly string[];
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Learns of every end of a process, tells whose it was, and books and reports it. */
export interface ExitWatch {
  start(): void;
  /** Takes what has come; to be called before a scan is taken in, so that its sums have it. */
  drain(): void;
  /** Compares with the snapshot before: starts, changes of containers, ends that nothing has told. */
  observe(snapshot: Snapshot): void;
  stop(): void;
}

/** A process that a scan did not show any more and whose end has not been told yet. */
interface Missing {
  readonly owner: Owner;
  /** Scans until it is reported as ended for unknown reasons. */
  scans: number;
}

export function createExitWatch(parts: ExitWatchParts): ExitWatch {
  const { source, tracker, journal } = parts;
  const attribution = { resolve: parts.resolve, namer: createProgramNamer(), units: parts.units };
  const missing = new Map<number, Missing>();
  const told = createTold();
  const held = createHeldEvents(parts);
  const shown = createShownContainers();
  /** Ends in containers that no scan has shown yet: only the next one tells which process is the container's first. */
  const early: ExitRecord[] = [];
  let latest: Snapshot | undefined;
  let timer: NodeJS.Timeout | undefined;

  const report = (exit: ExitRecord, owner: Owner): void => {
    const oomKilled = oomOf(exit, owner.container, parts.oom);
    const reason = exitReason(exit.status, oomKilled);
    const { pid, usage } = exit;
    const { startTicks, container, program, wasSeen } = owner;
    tracker.ended({ pid, startTicks, container, program, reason, usage, wasSeen }, parts.now());
    held.exited(exit, owner, oomKilled);
  };
  const tell = (exit: ExitRecord): void => {
    if (latest === undefined) return;
    const gone = missing.get(exit.pid);
    const isMissing =
      gone !== undefined && (exit.startTicks === null || gone.owner.startTicks === exit.startTicks);
    if (isMissing) missing.delete(exit.pid);
    const owner = isMissing ? gone.owner : attributeExit(exit, latest, attribution);
    // The runtime's own, which it sends into the container's cgroup at each start and exec.
    if (!owner.wasSeen && isStarting(owner.name)) return;
    if (!isMissing) told.add(exit.pid, owner.startTicks);
    report(exit, owner);
  };
  const isEarly = (exit: ExitRecord): boolean => {
    if (latest === undefined || exit.cgroup === null || missing.has(exit.pid)) return false;
    const container = parts.resolve(exit.cgroup)?.container;
    return container !== undefined && early.length < mostEarly && !shown.has(container.id, latest);
  };
  let isStarted = false;
  const take = (exits: readonly ExitRecord[]): void => {
    for (const exit of exits) {
      if (isEarly(exit)) early.push(exit);
      else tell(exit);
    }
  };
  const drain = (): void => {
    if (source === undefined) return;
    let found = 0;
    try {
      const exits = source.drain();
      found = exits.length;
      take(exits);
    } finally {
      clearTimeout(timer);
      if (isStarted) timer = setTimeout(drainByTimer, found > 0 ? drainAfterMs.some : drainAfterMs.none);
    }
  };
  const drainByTimer = (): void => {
    try {
      drain();
    } catch (error) {
      parts.log.error("taking the ends of processes failed", { error });
    }
  };
  const miss = (rows: readonly number[], before: Snapshot): void => {
    for (const row of rows) {
      const owner = ownerOfRow(row, before);
      const pid = before.table.pid[row] ?? 0;
      if (told.has(pid, owner.startTicks)) continue;
      // A source that tells ends may be about to: it waits for exact figures, or its timer.
      missing.set(pid, { owner, scans: source === undefined ? 0 : 2 });
    }
    for (const [pid, one] of missing) {
      if (--one.scans >= 0) continue;
      missing.delete(pid);
      report(unexplained(pid, one.owner, parts.now()), one.owner);
    }
  };
  return {
    start: () => {
      if (source === undefined) return;
      isStarted = true;
      timer = setTimeout(drainByTimer, drainAfterMs.some);
    },
    drain,
    observe: (snapshot) => {
      const before = latest;
      latest = snapshot;
      parts.oom.observe(snapshot);
      held.observe(snapshot);
      for (const exit of early.splice(0)) tell(exit);
      if (before === undefined) return;
      const changes = compareSnapshots(before, snapshot);
      miss(changes.vanished, before);
      for (const row of changes.started) {
        const { pid, startTicks } = snapshot.table;
        if (!told.has(pid[row] ?? 0, startTicks[row] ?? 0)) held.started(row, snapshot);
      }
      told.sweep(snapshot);
      for (const change of changes.containers) journal.add(toContainerEvent(change, snapshot.takenAt));
    },
    stop: () => {
      isStarted = false;
      clearTimeout(timer);
      source?.close();
    },
  };
}

/** Which containers a snapshot has processes of: found out once for each, and only when something ends. */
function createShownContainers() {
  let of: Snapshot | undefined;
  let ids: ReadonlySet<string> = new Set();
  return {
    has: (id: string, snapshot: Snapshot): boolean => {
      if (of !== snapshot) {
        of = snapshot;
        const indexes = new Set(snapshot.containerOf);
        ids = new Set(snapshot.containers.filter((_, index) => indexes.has(index)).map((one) => one.id));
      }
      return ids.has(id);
    },
  };
}

/** Lives whose end has been told: until it is reaped, scans go on to show the zombie. */
function createTold() {
  // PID → start; an object for each would be garbage in the worst moment. Those that the last scan has not shown are apart.
  let shown = new Map<number, number | null>();
  let unseen = new Map<number, number | null>();
  const matches = (startTicks: number | null | undefined, other: number | null): boolean =>
    startTicks !== undefined && (startTicks === null || other === null || startTicks === other);
  return {
    add: (pid: number, startTicks: number | null): void => {
      unseen.delete(pid);
      shown.set(pid, startTicks);
    },
    has: (pid: number, startTicks: number | null): boolean =>
      matches(shown.get(pid), startTicks) || matches(unseen.get(pid), startTicks),
    /** Forgets those that the last two snapshots have not shown. */
    sweep: ({ table, rowByPid }: Snapshot): void => {
      const isShown = (pid: number, startTicks: number | null): boolean => {
        const row = rowByPid.get(pid);
        return row !== undefined && matches(startTicks, table.startTicks[row] ?? 0);
      };
      const before = { shown, unseen };
      shown = new Map();
      unseen = new Map();
      for (const [pid, start] of before.unseen) if (isShown(pid, start)) shown.set(pid, start);
      for (const [pid, start] of before.shown) (isShown(pid, start) ? shown : unseen).set(pid, start);
    },
  };
}

/** The kernel's own word; else the container's counter, asked only about kills. */
function oomOf(exit: ExitRecord, container: Container | null, oom: OomWatch): boolean | null {
  if (exit.oomVictim !== null) return exit.oomVictim;
  if (exit.status === null) return null;
  const { signal } = exitOutcome(exit.status);
  if (signal === null || nameOfSignal(signal) !== "SIGKILL") return false;
  return container === null ? null : oom.explains(container);
}

function unexplained(pid: number, owner: Owner, now: number): ExitRecord {
  return {
    pid,
    startTicks: owner.startTicks,
    name: owner.name,
    parentPid: null,
    userId: null,
    status: null,
    oomVictim: null,
    endedAt: now,
    lifetimeSeconds: null,
    cgroup: null,
    ancestors: [],
    usage: null,
  };
}

function toContainerEvent({ container, before, removed }: ContainerChange, takenAt: number): NewEvent {
  return {
    type: "container",
    time: new Date(takenAt).toISOString(),
    container: toContainerName(container),
    state: removed ? "removed" : container.state,
    previousState: before?.state ?? null,
    exitCode: container.exitCode,
    oomKilled: container.oomKilled,
  };
}
