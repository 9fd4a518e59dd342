import { type Container, type KernelUnits, type ProcessTable, startedAtMs } from "../../model.ts";
import { isStarting } from "../programs.ts";
import type { ObservedScan } from "../tracker.ts";
import type { Group, GroupTable } from "./group-table.ts";
import type { GroupNamer } from "./namer.ts";

/**
 * A process that is younger than this may still be its parent's copy, about to become its program: it is named by the
 * next scan, or when it ends.
 */
const youngMs = 300;
/**
 * How long a name waits for what a runtime takes to start a container and to tell its name, and a process is named anew
 * when it becomes another program.
 */
const startingMs = 10_000;

export interface AssignerParts {
  readonly namer: GroupNamer;
  readonly units: KernelUnits;
  /** Processes that no rule is about belong to the group of their nearest ancestor that has one. */
  readonly children: boolean;
  /** Look again at processes without a group when their name or command line has changed. */
  readonly recheck: boolean;
}

/** Row → its group; null: it has none, for its life; undefined: not decided yet. */
export type Rows = (Group | null | undefined)[];

/** A scan with the groups of its rows. */
export interface Taken {
  readonly scan: ObservedScan;
  readonly rows: Rows;
}

/** Decides which group a process belongs to: once in its life, when it has got going. */
export interface Assigner {
  /**
   * Fills the rows of a scan.
   * @param earlier row → the row of the same life in the scan before, or -1
   * @returns the rows that are members since now
   */
  assign(taken: Taken, before: Taken | undefined, earlier: Int32Array): readonly number[];
  /** Whether all are decided on for good: the next scans need not be looked at while they show the same lives. */
  areSettled(taken: Taken): boolean;
  /** For a process that has ended before it was decided on. */
  decideLate(taken: Taken, row: number): Group | null;
}

export function createAssigner(parts: AssignerParts, groups: GroupTable): Assigner {
  const isUnready = (scan: ObservedScan, row: number): boolean => {
    const ageMs = scan.takenAt - startedAtMs(scan.table.startTicks[row] ?? 0, parts.units);
    if (ageMs >= startingMs) return false;
    const isNameless = parts.namer.usesContainer && containerAt(scan, row)?.name === null;
    return ageMs < youngMs || isNameless || isStarting(scan.table.name[row] ?? "");
  };
  const byRules = (scan: ObservedScan, row: number): Group | undefined => {
    const name = parts.namer.name(scan.table, row, containerAt(scan, row));
    return name === undefined ? undefined : groups.get(name, scan.takenAt);
  };
  const byAncestor = ({ scan, rows }: Taken, row: number, unready: ReadonlySet<number>) =>
    parts.children ? ancestorGroup(scan, rows, row, unready) : null;
  const isFinal = (group: Group | null | undefined): boolean =>
    group !== undefined && (group !== null || !parts.recheck);
  const settledBefore = ({ takenAt }: ObservedScan): number => ticksAt(takenAt - startingMs, parts.units);
  return {
    areSettled: ({ scan, rows }) => {
      const settledTicks = settledBefore(scan);
      return rows.every((group, row) => isFinal(group) && (scan.table.startTicks[row] ?? 0) <= settledTicks);
    },
    assign: (taken, before, earlier) => {
      const { scan, rows } = taken;
      const joined: number[] = [];
      const unmatched: number[] = [];
      const unready = new Set<number>();
      const settledTicks = settledBefore(scan);
      for (let row = 0; row < scan.table.length; row++) {
        const at = earlier[row] ?? -1;
        const known = at === -1 ? undefined : before?.rows[at];
        rows[row] = known;
        const isStarted = (scan.table.startTicks[row] ?? 0) <= settledTicks;
        if (isStarted && isFinal(known)) continue;
        const isSame = known !== undefined && isUnchanged(before?.scan.table, at, scan.table, row);
        if (isSame && isFinal(known)) continue;
        // An unreadable command line can become readable: the kernel hangs on to it, or the process is gone in a moment.
        if (scan.table.command[row] === null) continue;
        if (known === undefined && before !== undefined && isUnready(scan, row)) {
          unready.add(row);
          continue;
        }
        const group = isSame ? undefined : byRules(scan, row);
        // One that has become another program goes on in that one's group.
        if (known) rows[row] = group ?? known;
        else {
          rows[row] = group;
          (group === undefined ? unmatched : joined).push(row);
        }
      }
      // After all that rules are about: a parent can come behind its child.
      const found = unmatched.map((row) => byAncestor(taken, row, unready));
      for (const [index, row] of unmatched.entries()) {
        rows[row] = found[index];
        if (rows[row]) joined.push(row);
      }
      return joined;
    },
    decideLate: (taken, row) => byRules(taken.scan, row) ?? byAncestor(taken, row, none) ?? null,
  };
}

function ticksAt(ms: number, { bootSeconds, ticksPerSecond }: KernelUnits): number {
  return (ms / 1000 - bootSeconds) * ticksPerSecond;
}

function containerAt({ containers, containerOf }: ObservedScan, row: number): Container | undefined {
  return containers[containerOf[row] ?? -1];
}

/** What rules look at is the same. Names and command lines that are equal are the same object, as a rule. */
function isUnchanged(
  before: ProcessTable | undefined,
  at: number,
  table: ProcessTable,
  row: number,
): boolean {
  return (
    before?.name[at] === table.name[row] &&
    before?.command[at] === table.command[row] &&
    before?.userId[at] === table.userId[row]
  );
}

const none: ReadonlySet<number> = new Set();

/** The group of the nearest ancestor with one; null: there is none; undefined: one of them is about to have a name. */
function ancestorGroup(
  { table, rowByPid }: ObservedScan,
  rows: Rows,
  row: number,
  unready: ReadonlySet<number>,
): Group | null | undefined {
  let at: number | undefined = row;
  // A torn scan can show a loop of parents.
  for (let steps = 0; steps < 1000; steps++) {
    at = rowByPid.get(table.parentPid[at] ?? 0);
    if (at === undefined || at === row) return null;
    if (unready.has(at)) return undefined;
    const group = rows[at];
    if (group !== undefined) return group;
  }
  return null;
}
