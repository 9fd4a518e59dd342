import { reasonOf } from "../errors.ts";
import type { InsideProcess, Manager, ManagerFinder } from "../managers/manager.ts";
import type { Container, ManagedState, Snapshot } from "../model.ts";
import { isManagerRow, toInside } from "./inside-processes.ts";
import type { ProgramContext } from "./programs.ts";

/** Managers are asked again after so long; sooner when a process that they started has come or gone. */
const askEveryMs = 5_000;
/** systemd can only be asked by a command that the engine runs. */
const askCommandEveryMs = 60_000;
const askSoonestMs = 500;
/** One that has not answered may just be starting. */
const askSilentEveryMs = 1_000;
const noAnswer = "no answer";

export interface ManagedProgramsParts {
  readonly finders: readonly ManagerFinder[];
  readonly monotonicMs: () => number;
  readonly log: { readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void };
}

/** What the process managers in containers say of their programs, asked in the background. */
export interface ManagedPrograms {
  /**
   * The programs of rows, as far as managers name them: row → name. A process below a main one belongs to its program.
   */
  nameRows(context: ProgramContext): ReadonlyMap<number, string>;
  /** What the managers have said last, of containers that are there. */
  states(containers: readonly Container[]): readonly ManagedState[];
  /** Asks managers again where something may have changed; does not wait. */
  observe(snapshot: Snapshot): void;
  /** The managers in a container, found now. Looks and reads, changes nothing. */
  managersIn(container: Container, snapshot: Snapshot): readonly Manager[];
}

/** One life of a process, judged by its looks or named by its manager. */
interface Named {
  readonly startTicks: number;
  readonly name: string | undefined;
}

interface Watched {
  readonly container: Container;
  states: readonly Omit<ManagedState, "container">[];
  askedAt: number;
  asking: boolean;
  needsCommand: boolean;
  /** Children of managers at the last look: another set means that something has come or gone. */
  children: string;
}

export function createManagedPrograms(parts: ManagedProgramsParts): ManagedPrograms {
  const watched = new Map<string, Watched>();
  const byLooks = new Map<number, Named>();
  let told = new Map<number, Named>();
  let latest: Snapshot | undefined;

  const ask = async (one: Watched, snapshot: Snapshot): Promise<void> => {
    one.asking = true;
    one.askedAt = parts.monotonicMs();
    try {
      const managers = managersIn(parts.finders, one.container, snapshot);
      one.needsCommand = managers.some(({ kind }) => kind === "systemd");
      one.states = (await Promise.all(managers.map((manager) => listStates(manager, parts)))).flat();
      // Not by the snapshot that it was asked for: others have told of newer processes since.
      told = namesOf([...watched.values()], latest ?? snapshot);
    } finally {
      one.asking = false;
    }
  };
  const containersWithSigns = createSignFinder();
  return {
    nameRows: (context) => {
      const signed = containersWithSigns(context);
      if (signed.size === 0) return new Map();
      return nameBelow(context, signed, (row) => {
        const pid = context.table.pid[row] ?? 0;
        const startTicks = context.table.startTicks[row] ?? 0;
        const known = told.get(pid);
        if (known?.startTicks === startTicks) return known.name;
        let judged = byLooks.get(pid);
        if (judged?.startTicks !== startTicks) {
          judged = { startTicks, name: judge(row, context, parts.finders) };
          byLooks.set(pid, judged);
        }
        return judged.name;
      });
    },
    states: (containers) =>
      containers.flatMap((container, index) =>
        (watched.get(container.id)?.states ?? []).map((state) => ({ ...state, container: index })),
      ),
    observe: (snapshot) => {
      latest = snapshot;
      const signed = containersWithSigns(snapshot);
      for (const id of watched.keys()) {
        if (!snapshot.containers.some((container, index) => container.id === id && signed.has(index)))
          watched.delete(id);
      }
      for (const pid of byLooks.keys()) if (!snapshot.rowByPid.has(pid)) byLooks.delete(pid);
      for (const index of signed) {
        const container = snapshot.containers[index];
        if (container === undefined || !container.known || container.state !== "running") continue;
        const one = watched.get(container.id) ?? newWatched(container);
        watched.set(container.id, one);
        const children = childrenOfManagers(index, snapshot);
        const since = parts.monotonicMs() - one.askedAt;
        const isSilent = one.states.some(({ state }) => state === noAnswer);
        const isDue =
          since >= (isSilent ? askSilentEveryMs : one.needsCommand ? askCommandEveryMs : askEveryMs);
        const hasChanged = children !== one.children && since >= askSoonestMs;
        if (one.asking || !(isDue || hasChanged)) continue;
        one.children = children;
        ask(one, snapshot).catch((error) =>
          parts.log.warn("looking for process managers failed", {
            container: container.name,
            reason: reasonOf(error),
          }),
        );
      }
    },
    managersIn: (container, snapshot) => managersIn(parts.finders, container, snapshot),
  };
}

function newWatched(container: Container): Watched {
  const askedAt = Number.NEGATIVE_INFINITY;
  return { container, states: [], askedAt, asking: false, needsCommand: false, children: "" };
}

function managersIn(
  finders: readonly ManagerFinder[],
  container: Container,
  snapshot: Snapshot,
): readonly Manager[] {
  const index = snapshot.containers.findIndex(({ id }) => id === container.id);
  const processes: InsideProcess[] = [];
  for (let row = 0; row < snapshot.table.length; row++)
    if (snapshot.containerOf[row] === index && index !== -1) processes.push(toInside(row, snapshot.table));
  return finders.flatMap((finder) => finder.find(container, processes));
}

/** A manager that does not answer is shown as a program of its own: what it runs is not known then. */
async function listStates(
  manager: Manager,
  { log }: ManagedProgramsParts,
): Promise<readonly Omit<ManagedState, "container">[]> {
  try {
    return (await manager.list()).map((program) => ({ ...program, manager: manager.kind }));
  } catch (error) {
    log.warn("a process manager does not answer", {
      manager: manager.kind,
      pid: manager.ref.pid,
      reason: reasonOf(error),
    });
    const { kind } = manager;
    return [
      {
        name: kind,
        manager: kind,
        state: noAnswer,
        condition: "failed",
        pid: null,
        remark: reasonOf(error),
      },
    ];
  }
}

function namesOf(all: readonly Watched[], { table, rowByPid }: Snapshot): Map<number, Named> {
  const names = new Map<number, Named>();
  for (const { states } of all) {
    for (const { pid, name } of states) {
      const row = pid === null ? undefined : rowByPid.get(pid);
      if (pid !== null && row !== undefined) names.set(pid, { startTicks: table.startTicks[row] ?? 0, name });
    }
  }
  return names;
}

type SignContext = Pick<ProgramContext, "table" | "containerOf">;

/** Finds the containers with signs of a manager; those of the last time while the arrays by which they are found are the same. */
function createSignFinder(): (context: SignContext) => ReadonlySet<number> {
  let last: SignContext | undefined;
  let found: ReadonlySet<number> = new Set();
  return ({ table, containerOf }) => {
    const isSame =
      last?.table.name === table.name &&
      last.table.command === table.command &&
      last.containerOf === containerOf;
    last = { table, containerOf };
    if (!isSame) found = findSigns(last);
    return found;
  };
}

function findSigns({ table, containerOf }: SignContext): ReadonlySet<number> {
  const found = new Set<number>();
  for (let row = 0; row < table.length; row++) {
    const index = containerOf[row] ?? -1;
    if (index !== -1 && isManagerRow(row, table)) found.add(index);
  }
  return found;
}

function judge(row: number, context: ProgramContext, finders: readonly ManagerFinder[]): string | undefined {
  const parent = context.rowByPid.get(context.table.parentPid[row] ?? 0);
  const inside = toInside(row, context.table);
  const above = parent === undefined ? undefined : toInside(parent, context.table);
  for (const finder of finders) {
    const name = finder.nameOf(inside, above);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** The name of each row of these containers: its own, else that of the nearest process above it which has one. */
function nameBelow(
  context: ProgramContext,
  containers: ReadonlySet<number>,
  ownName: (row: number) => string | undefined,
): ReadonlyMap<number, string> {
  const { table, rowByPid, containerOf } = context;
  const names = new Map<number, string>();
  for (let row = 0; row < table.length; row++) {
    if (!containers.has(containerOf[row] ?? -1)) continue;
    const seen = new Set<number>();
    for (let at: number | undefined = row; at !== undefined && !seen.has(at); ) {
      seen.add(at);
      const name = names.get(at) ?? ownName(at);
      if (name !== undefined) {
        names.set(row, name);
        break;
      }
      const above: number | undefined = rowByPid.get(table.parentPid[at] ?? 0);
      at = above !== undefined && containerOf[above] === containerOf[row] ? above : undefined;
    }
  }
  return names;
}

function childrenOfManagers(index: number, { table, rowByPid, containerOf }: Snapshot): string {
  const refs: string[] = [];
  for (let row = 0; row < table.length; row++) {
    if (containerOf[row] !== index) continue;
    const parent = rowByPid.get(table.parentPid[row] ?? 0);
    if (parent !== undefined && isManagerRow(parent, table))
      refs.push(`${table.pid[row]}@${table.startTicks[row]}`);
  }
  return refs.join(" ");
}
