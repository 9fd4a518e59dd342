import type { Usage } from "../model.ts";

/** Adds to a sum of counters, which are in the order of `counterColumns`; the first figure replaces NaN. */
export function addFigure(counters: Float64Array, index: number, figure: number): void {
  const sum = counters[index] ?? Number.NaN;
  counters[index] = (Number.isNaN(sum) ? 0 : sum) + figure;
}

/**
 * Adds what a process used since the scan before.
 * @param figure of the process's own counter; NaN: it could not be read, and adds nothing
 */
export function addUsed(counters: Float64Array, index: number, used: number, figure: number): void {
  // Most processes did nothing since: what is written for them is only that their figure can be read.
  if (used === 0 && !Number.isNaN(counters[index])) return;
  if (!Number.isNaN(figure)) addFigure(counters, index, used);
}

/** Sums in the order of `counterColumns` by their names. */
export function toUsage(counters: ArrayLike<number>): Usage {
  const counter = (index: number): number => counters[index] ?? Number.NaN;
  // Sums of ticks as binary fractions: without rounding 0.1 + 0.2 s would read 0.30000000000000004.
  const seconds = (index: number): number => Math.round(counter(index) * 1e6) / 1e6;
  return {
    userSeconds: seconds(0),
    systemSeconds: seconds(1),
    readBytes: counter(2),
    writtenBytes: counter(3),
    voluntarySwitches: counter(4),
    involuntarySwitches: counter(5),
    minorFaults: counter(6),
    majorFaults: counter(7),
  };
}
