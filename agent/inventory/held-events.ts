import { type Container, formatRef, type KernelUnits, type Snapshot, startedAtMs } from "../model.ts";
import type { ExitRecord } from "../source/exits/exit-source.ts";
import { haveSameElements } from "../source/same-elements.ts";
import type { EventJournal, NewEvent } from "./event-journal.ts";
import { type Owner, ownerOfRow } from "./exit-attribution.ts";
import { toContainerName } from "./records.ts";

/** So many scans a runtime is given to tell of a container: those that nobody knows are not waited for again. */
const mostScans = 2;

/** With more of them waiting, all are told as they are. */
const mostHeld = 1_000;

export interface HeldEventsParts {
  readonly journal: Pick<EventJournal, "add" | "addExit">;
  readonly units: KernelUnits;
  readonly showCommand: (argv: readonly string[]) => readonly string[];
}

/**
 * Starts and ends on their way to the journal. A scan can meet a process before the runtime has told of its container,
 * whose name readers ask for; or between fork(2) and execve(2), when it bears its parent's name, or is not even in its
 * parent's cgroup yet. Such events wait for the next scan.
 */
export interface HeldEvents {
  /** A process that a scan has shown for the first time. */
  started(row: number, snapshot: Snapshot): void;
  exited(exit: ExitRecord, owner: Owner, oomKilled: boolean | null): void;
  /** Tells what has waited long enough; to be called with each scan, before its own starts. */
  observe(snapshot: Snapshot): void;
}

interface Held {
  readonly pid: number;
  readonly container: Container | null;
  /** @param snapshot the next one; undefined: it could not be waited for */
  tell(container: Container | null, snapshot?: Snapshot): void;
}

export function createHeldEvents(parts: HeldEventsParts): HeldEvents {
  const { journal } = parts;
  const awaited = createAwaited();
  let held: Held[] = [];

  const releaseNow = (which: (one: Held) => boolean): void => {
    const released = held.filter(which);
    held = held.filter((one) => !which(one));
    for (const one of released) one.tell(one.container);
  };
  const hold = (one: Held): void => {
    held.push(one);
    if (held.length > mostHeld) releaseNow(() => true);
  };
  return {
    started: (row, snapshot) => {
      const { container, startTicks } = ownerOfRow(row, snapshot);
      const event = toStartedEvent(row, snapshot, parts);
      if (!awaited.has(container) && !isYoung(row, snapshot)) return journal.add(event);
      const { pid } = event;
      hold({
        pid,
        container,
        tell: (named, next) => {
          const again = next?.rowByPid.get(pid);
          const isThere = again !== undefined && next?.table.startTicks[again] === startTicks;
          if (isThere && next !== undefined) journal.add(toStartedEvent(again, next, parts));
          else journal.add({ ...event, container: named && toContainerName(named) });
        },
      });
    },
    exited: (exit, owner, oomKilled) => {
      const { pid } = exit;
      const { container } = owner;
      if (awaited.has(container)) {
        hold({
          pid,
          container,
          tell: (named) => journal.addExit(exit, { ...owner, container: named }, oomKilled),
        });
        return;
      }
      // Its start comes first.
      if (held.length > 0) releaseNow((one) => one.pid === pid);
      journal.addExit(exit, owner, oomKilled);
    },
    observe: (snapshot) => {
      const waiting = held;
      held = [];
      awaited.observe(snapshot, waiting);
      for (const one of waiting) {
        const named = one.container && inSnapshot(one.container, snapshot);
        if (awaited.has(named)) held.push(one);
        else one.tell(named, snapshot);
      }
    },
  };
}

/** Containers of which no runtime has told yet, while it may still be about to. */
function createAwaited() {
  /** Container id → scans since it was met. */
  let scans: ReadonlyMap<string, number> = new Map();
  return {
    has: (container: Container | null): boolean =>
      container !== null && !container.known && (scans.get(container.id) ?? 0) <= mostScans,
    observe: ({ containers }: Snapshot, held: readonly Held[]): void => {
      const next = new Map<string, number>();
      const count = (container: Container | null): void => {
        if (container === null || container.known) return;
        next.set(container.id, (scans.get(container.id) ?? 0) + 1);
      };
      for (const container of containers) count(container);
      for (const { container } of held) count(container);
      scans = next;
    },
  };
}

function inSnapshot(container: Container, { containers }: Snapshot): Container {
  return containers.find(({ id }) => id === container.id) ?? container;
}

/** Whether it may be between fork(2) and execve(2): it looks as its parent does, or its parent alone is in a container. */
function isYoung(row: number, snapshot: Snapshot): boolean {
  const { table, rowByPid, containerOf } = snapshot;
  const parent = rowByPid.get(table.parentPid[row] ?? 0);
  if (parent === undefined) return false;
  if (containerOf[row] === -1 && containerOf[parent] !== -1) return true;
  return (
    table.name[row] === table.name[parent] &&
    haveSameElements(table.command[row] ?? [], table.command[parent] ?? [])
  );
}

function toStartedEvent(
  row: number,
  snapshot: Snapshot,
  { units, showCommand }: Pick<HeldEventsParts, "units" | "showCommand">,
): NewEvent & { readonly type: "started" } {
  const { table } = snapshot;
  const owner = ownerOfRow(row, snapshot);
  const startTicks = owner.startTicks ?? 0;
  const pid = table.pid[row] ?? 0;
  const command = table.command[row] ?? null;
  return {
    type: "started",
    time: new Date(startedAtMs(startTicks, units)).toISOString(),
    container: owner.container === null ? null : toContainerName(owner.container),
    ref: formatRef({ pid, startTicks }),
    pid,
    name: owner.name,
    program: owner.program,
    parentPid: table.parentPid[row] ?? 0,
    command: command === null ? null : showCommand(command),
  };
}
