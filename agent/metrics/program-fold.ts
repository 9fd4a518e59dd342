import { counterColumns, exitReasons, type ProgramTotals, processStates, type Snapshot } from "../model.ts";
import { createFold, type Folded, otherLabel } from "./smallest-fold.ts";

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

/** Sums the smallest programs into one, so that so many are left at most. */
export function createProgramFold(): (snapshot: Snapshot, most: number) => Folded<ProgramTotals> {
  const fold = createFold<ProgramTotals>({
    sizeOf: (program) => program.residentBytes,
    // The exits come last.
    countersOf: (program) => [...counters.map((name) => program[name]), ...program.exits],
    sumUp,
  });
  // Of the snapshot no more is held on to.
  return ({ programs, containers }, most) =>
    fold(
      programs,
      () => programs.map(({ container, name }) => `${containers[container]?.id ?? ""} ${name}`),
      most,
    );
}

function sumUp(programs: readonly ProgramTotals[], sums: readonly number[]): ProgramTotals {
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
