import { counterColumns, exitReasons, type ProgramTotals, processStates, type Snapshot } from "../model.ts";

/** What the sum of the smallest programs is called, as program and as container. */
export const otherLabel = "other";

/** One that has become larger than another stays below it until it is this many times as large: no coming and going. */
const stickiness = 2;

/** Programs that have a series of their own, and the sum of the rest. */
export interface FoldedPrograms {
  readonly kept: readonly ProgramTotals[];
  /** Undefined while nothing was ever folded. */
  readonly other: ProgramTotals | undefined;
  /** How many are in it now. */
  readonly folded: number;
}

const counters = [...counterColumns, "starts"] as const satisfies readonly (keyof ProgramTotals)[];

const gauges = [
  "processes",
  "threads",
  "cpuCores",
  "residentBytes",
  "virtualBytes",
  "swapBytes",
  "openFiles",
] as const satisfies readonly (keyof ProgramTotals)[];

/** A counter's figures in one list: `counters`, then the exits. */
const figuresOf = (program: ProgramTotals): readonly number[] => [
  ...counters.map((name) => program[name]),
  ...program.exits,
];

/**
 * Sums the smallest programs, by memory, into one. Its counters add up what each used while it was folded, so they never
 * fall, whichever programs come and go.
 */
export function createProgramFold(): (snapshot: Snapshot, most: number) => FoldedPrograms {
  /** Programs that were kept, and the figures of those that were folded, in the last call. */
  let kept = new Set<string>();
  let folded = new Map<string, readonly number[]>();
  const sums = new Float64Array(counters.length + exitReasons.length);
  let hasFolded = false;
  /** Of the last call while nothing was ever folded; their keys are made when they are needed. */
  let whole: Pick<Snapshot, "programs" | "containers"> | undefined;
  return (snapshot, most) => {
    const { programs, containers } = snapshot;
    if (!hasFolded && programs.length <= most) {
      whole = { programs, containers };
      return { kept: programs, other: undefined, folded: 0 };
    }
    if (whole !== undefined) kept = new Set(keyed(whole).map(({ key }) => key));
    whole = undefined;
    const all = keyed(snapshot);
    const sizeOf = ({ key, program }: (typeof all)[number]): number =>
      program.residentBytes * (kept.has(key) ? stickiness : 1) || 0;
    const isOver = all.length >= most;
    // One is left for the sum.
    const room = isOver ? Math.max(0, most - 1) : all.length;
    const largest = isOver
      ? new Set(all.toSorted((a, b) => sizeOf(b) - sizeOf(a)).slice(0, room))
      : undefined;
    const nextKept = new Set<string>();
    const nextFolded = new Map<string, readonly number[]>();
    const [keptPrograms, foldedPrograms]: [ProgramTotals[], ProgramTotals[]] = [[], []];
    for (const one of all) {
      if (largest === undefined || largest.has(one)) {
        nextKept.add(one.key);
        keptPrograms.push(one.program);
        continue;
      }
      const figures = figuresOf(one.program);
      const before = folded.get(one.key) ?? (kept.has(one.key) ? figures : undefined);
      for (let at = 0; at < sums.length; at++) {
        sums[at] = (sums[at] ?? 0) + Math.max(0, (figures[at] ?? 0) - (before?.[at] || 0) || 0);
      }
      nextFolded.set(one.key, figures);
      foldedPrograms.push(one.program);
    }
    hasFolded ||= foldedPrograms.length > 0;
    kept = nextKept;
    folded = nextFolded;
    const other = hasFolded ? sumUp(foldedPrograms, sums) : undefined;
    return { kept: keptPrograms, other, folded: foldedPrograms.length };
  };
}

function keyed({ programs, containers }: Pick<Snapshot, "programs" | "containers">) {
  return programs.map((program) => ({
    program,
    key: `${containers[program.container]?.id ?? ""} ${program.name}`,
  }));
}

function sumUp(programs: readonly ProgramTotals[], sums: Float64Array): ProgramTotals {
  const total = (figures: readonly number[]): number =>
    figures.reduce((sum, figure) => (Number.isNaN(figure) ? sum : sum + figure), 0);
  const named = <K extends string>(names: readonly K[], figure: (name: K, index: number) => number) =>
    Object.fromEntries(names.map((name, index) => [name, figure(name, index)])) as Record<K, number>;
  const starts = programs.map((one) => one.oldestStartSeconds).filter((one) => !Number.isNaN(one));
  const ratios = programs.map((one) => one.openFilesWorstRatio).filter((one) => !Number.isNaN(one));
  return {
    container: -1,
    name: otherLabel,
    ...named(gauges, (name) => total(programs.map((one) => one[name]))),
    // To a microsecond, as the programs' own are.
    ...named(counters, (_, index) => Math.round((sums[index] ?? 0) * 1e6) / 1e6),
    openFilesWorstRatio: ratios.length === 0 ? Number.NaN : Math.max(...ratios),
    byState: processStates.map((_, index) => total(programs.map((one) => one.byState[index] ?? 0))),
    oldestStartSeconds: starts.length === 0 ? Number.NaN : Math.min(...starts),
    exits: exitReasons.map((_, index) => sums[counters.length + index] ?? 0),
  };
}
