import { counterColumns, exitReasons, type ProgramTotals, processStates, type Snapshot } from "../model.ts";
import { greatestReadable, leastReadable, recordOf, roundCounter, sumReadable } from "./fold-sums.ts";
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
  return {
    container: -1,
    name: otherLabel,
    ...recordOf(gauges, (name) => sumReadable(programs.map((one) => one[name]))),
    ...recordOf(counters, (_, index) => roundCounter(sums[index])),
    openFilesWorstRatio: greatestReadable(programs.map((one) => one.openFilesWorstRatio)),
    byState: processStates.map((_, index) => sumReadable(programs.map((one) => one.byState[index] ?? 0))),
    oldestStartSeconds: leastReadable(programs.map((one) => one.oldestStartSeconds)),
    exits: exitReasons.map((_, index) => sums[counters.length + index] ?? 0),
  };
}
