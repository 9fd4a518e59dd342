import type { Container, ProcessTable, Snapshot } from "../model.ts";
import { haveSameElements } from "../source/same-elements.ts";
import { createSameArray } from "./same-array.ts";

/** What runc calls its own processes in a container, and the container's first one until it has become the program. */
const startingPrefix = "runc:[";
const startingName = /^runc:\[\d:\w+\]$/;

/** Whether a process of this name is still the runtime's, on its way into the container. */
export function isStarting(name: string): boolean {
  return name.startsWith(startingPrefix) && startingName.test(name);
}

/** What runs containers, as `comm` has it, which is cut to fifteen characters. */
const runtimeName = /^(?:runc|crun|youki|conmon|containerd-shim.*|dockerd)$/;

/** Whether a process of which only the name is known is the runtime's: then what is below it is a program. */
export function isRuntime(name: string): boolean {
  return runtimeName.test(name) || isStarting(name);
}

/** What naming a program needs of a scan. */
export interface ProgramContext {
  readonly table: ProcessTable;
  readonly rowByPid: Snapshot["rowByPid"];
  /** Row → index into `containers`, -1 for the host's own. */
  readonly containerOf: Int32Array;
  readonly containers: readonly Container[];
}

/** The programs of one scan. */
export interface ProgramNames {
  /** Row → the program's name; the array of the scan before while all names are the same. */
  readonly names: readonly string[];
}

/**
 * Names the program of every process: what its process manager calls it, else what a label of its container says (`pidward.program.NAME.match`), else the
 * name of the process nearest to the container's init on the way up; on the host likewise below PID 1.
 */
export interface ProgramNamer {
  /** @param managed row → what the process manager says */
  name(context: ProgramContext, managed?: ReadonlyMap<number, string>): ProgramNames;
  /** What a label says of a process of which only the name is known; undefined: nothing. */
  match(container: Container, name: string): string | undefined;
}

/** Remembers which label matched a command line, since matching is done for every process of every scan. */
export function createProgramNamer(): ProgramNamer {
  const patternsOf = new WeakMap<Container, readonly ProgramPattern[]>();
  const matches = new WeakMap<readonly string[], Match>();
  const patterns = (container: Container | undefined): readonly ProgramPattern[] => {
    if (container === undefined) return [];
    const known = patternsOf.get(container) ?? readPatterns(container);
    patternsOf.set(container, known);
    return known;
  };
  const matchOne: MatchRow = (row, { table }, own) => {
    const name = table.name[row] ?? "";
    const command = table.command[row] ?? [];
    const before = matches.get(command);
    if (before?.patterns === own && before.name === name) return before.program;
    const line = command.join(" ").slice(0, longestLine);
    const found = own.find(({ pattern }) => matchesGlob(name, pattern) || matchesGlob(line, pattern));
    matches.set(command, { patterns: own, name, program: found?.program });
    return found?.program;
  };
  const nameAll = (context: ProgramContext, managed: ReadonlyMap<number, string>): readonly string[] => {
    const roots = findRoots(context);
    const ownPatterns = context.containers.map(patterns);
    return Array.from({ length: context.table.length }, (_, row) => {
      const told = managed.get(row);
      if (told !== undefined) return told;
      const own = ownPatterns[context.containerOf[row] ?? -1] ?? [];
      const labelled = own.length === 0 ? undefined : matchUpwards(row, context, own, matchOne);
      return labelled ?? context.table.name[roots[row] ?? row] ?? "";
    });
  };
  const keep = createSameArray<readonly string[]>();
  let last: Named | undefined;
  return {
    name: (context, managed = unmanaged) => {
      const names =
        last !== undefined && isNamedAlike(last, { context, managed })
          ? last.names
          : keep(nameAll(context, managed));
      last = { context, managed, names };
      return { names };
    },
    match: (container, name) =>
      patterns(container).find(({ pattern }) => matchesGlob(name, pattern))?.program,
  };
}

const unmanaged: ReadonlyMap<number, string> = new Map();

/** Names, and what they were made of. */
interface Named {
  readonly context: ProgramContext;
  readonly managed: ReadonlyMap<number, string>;
  readonly names: readonly string[];
}

/** Whether all that names are made of is the same. Of two scans what is the same is the same array, as a rule. */
function isNamedAlike(before: Omit<Named, "names">, now: Omit<Named, "names">): boolean {
  const { table, containerOf, containers } = now.context;
  const { table: earlier } = before.context;
  return (
    earlier.pid === table.pid &&
    earlier.parentPid === table.parentPid &&
    earlier.containerPid === table.containerPid &&
    earlier.name === table.name &&
    earlier.command === table.command &&
    before.context.containerOf === containerOf &&
    haveSameElements(before.context.containers, containers) &&
    before.managed.size === now.managed.size &&
    [...now.managed].every(([row, name]) => before.managed.get(row) === name)
  );
}

interface Match {
  readonly patterns: readonly ProgramPattern[];
  readonly name: string;
  readonly program: string | undefined;
}

type MatchRow = (row: number, context: ProgramContext, own: readonly ProgramPattern[]) => string | undefined;

/** Bounds on the work that a container's labels and command lines can cause. */
const longestLine = 1024;
const longestPattern = 256;
const mostPatterns = 64;

/** Whether the row is the first process of its container (or the host's PID 1). */
export function isInit(row: number, context: ProgramContext): boolean {
  const { table } = context;
  const container = context.containers[context.containerOf[row] ?? -1];
  if (container === undefined) return table.pid[row] === 1;
  if (container.initPid !== null) return table.pid[row] === container.initPid;
  // No runtime has told the PID: the first of a PID namespace whose parent is outside of the container.
  return table.containerPid[row] === 1 && parentInContainer(row, context) === undefined;
}

/**
 * Whether what is below a process are programs of their own: it is its container's first one, or the runtime's still,
 * which a scan can meet with a parent in the container, so that it does not look like the first one yet.
 */
export function isAbovePrograms(row: number, context: ProgramContext): boolean {
  return isInit(row, context) || isStarting(context.table.name[row] ?? "");
}

function parentInContainer(row: number, context: ProgramContext): number | undefined {
  const parent = context.rowByPid.get(context.table.parentPid[row] ?? 0);
  if (parent === undefined || parent === row) return undefined;
  return context.containerOf[parent] === context.containerOf[row] ? parent : undefined;
}

function findRoots(context: ProgramContext): Int32Array {
  const roots = new Int32Array(context.table.length).fill(-1);
  // No row is passed twice on a way up: it is marked.
  const path = new Int32Array(roots.length);
  for (let row = 0; row < roots.length; row++) {
    let at = row;
    let passed = 0;
    while (roots[at] === -1) {
      // Marked before going up, so that a loop of parents in a torn scan ends.
      roots[at] = at;
      path[passed++] = at;
      const parent = parentInContainer(at, context);
      if (parent === undefined || isAbovePrograms(parent, context)) break;
      at = parent;
    }
    const root = roots[at] ?? at;
    for (let index = 0; index < passed; index++) roots[path[index] ?? 0] = root;
  }
  return roots;
}

interface ProgramPattern {
  readonly program: string;
  readonly pattern: string;
}

function readPatterns(container: Container): readonly ProgramPattern[] {
  const found = Object.entries(container.labels).flatMap(([label, pattern]) => {
    const program = /^pidward\.program\.([^.]+)\.match$/.exec(label)?.[1];
    return program === undefined || pattern.length > longestPattern ? [] : [{ program, pattern }];
  });
  return found.slice(0, mostPatterns);
}

/**
 * The program of the nearest process on the way up that a pattern matches, the row itself first. The container's init
 * is left out: a shell that starts everything has every program's words in its command line, and whoever acts on the
 * init acts on the container.
 */
function matchUpwards(
  row: number,
  context: ProgramContext,
  own: readonly ProgramPattern[],
  matchOne: MatchRow,
): string | undefined {
  const seen = new Set<number>();
  for (
    let at: number | undefined = row;
    at !== undefined && !seen.has(at);
    at = parentInContainer(at, context)
  ) {
    seen.add(at);
    if (isInit(at, context)) return undefined;
    const program = matchOne(at, context, own);
    if (program !== undefined) return program;
  }
  return undefined;
}

/**
 * Matches a whole text against a pattern in which `*` stands for any characters. Not a regular expression: labels come
 * with images, and a bad expression could hold up the agent. Takes at most text × pattern steps.
 */
export function matchesGlob(text: string, pattern: string): boolean {
  let at = 0;
  let want = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    if (pattern[want] === "*") {
      star = want++;
      resume = at;
    } else if (want < pattern.length && pattern[want] === text[at]) {
      at++;
      want++;
    } else if (star !== -1) {
      want = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[want] === "*") want++;
  return want === pattern.length;
}
