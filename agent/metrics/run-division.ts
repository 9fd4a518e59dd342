import { lengthOf, type Piece } from "./pieces.ts";

/**
 * Bytes of a run, about. Names come again in family after family, so that short runs would become twice as large; in long
 * ones more is compressed anew for a figure that has changed.
 */
const bytesOfRun = 32 * 1024;
/** Of pieces that change each time nothing is compressed in vain: fewer calls are less work. */
const bytesOfChangingRun = 96 * 1024;
/** A run is not ended before, since each costs as much as to compress this. */
const leastBytes = 8 * 1024;
/** Bodies of different numbers of pieces whose division is remembered. */
const mostDivisions = 16;
/** Bodies after which how often pieces change is known well enough to divide by it, and from then on. */
const learnedAfter = 16;
const learnedAgainAfter = 64;
/** How much of a piece's rate of changes is the last time's. */
const weight = 1 / 8;

/** Pieces that are compressed together: at least one. */
export type Run = readonly [Piece, ...Piece[]];

/** Where bodies of so many pieces are divided. */
interface Division {
  ends: readonly number[];
  /** How long such a body was when it was divided. */
  length: number;
  /** By piece, how often it was another one than the time before: from 0, never, to 1. */
  readonly rates: Float64Array;
  untilNext: number;
}

/**
 * Divides pieces into runs: as before while there are as many, since one that grows would move all that follow, and the body
 * has not become twice as long, or half as long. With time those that change each time, now and then, and hardly ever come
 * into runs of their own.
 */
export function createDivision(): (pieces: readonly Piece[]) => readonly Run[] {
  const byCount = new Map<number, Division>();
  let last: readonly Piece[] = [];
  return (pieces) => {
    const length = lengthOf(pieces);
    let division = byCount.get(pieces.length);
    if (division === undefined || length > 2 * division.length || 2 * length < division.length) {
      if (byCount.size >= mostDivisions) byCount.clear();
      division = divide(pieces, length);
      byCount.set(pieces.length, division);
    } else if (last.length === pieces.length) learn(division, pieces, last);
    last = pieces;
    return cut(pieces, division.ends);
  };
}

function divide(pieces: readonly Piece[], length: number): Division {
  const rates = new Float64Array(pieces.length);
  return { ends: findEnds(pieces, rates), length, rates, untilNext: learnedAfter };
}

function learn(division: Division, pieces: readonly Piece[], last: readonly Piece[]): void {
  const { rates } = division;
  for (let index = 0; index < pieces.length; index++) {
    const rate = rates[index] ?? 0;
    rates[index] = rate + weight * (Number(pieces[index] !== last[index]) - rate);
  }
  if (--division.untilNext > 0) return;
  division.untilNext = learnedAgainAfter;
  division.ends = findEnds(pieces, rates);
}

/** How often a piece changes: each time, now and then, hardly ever. */
function changingOf(rate: number): number {
  if (rate > 0.5) return 2;
  return rate > 0.05 ? 1 : 0;
}

/** Behind which piece each run ends. */
function findEnds(pieces: readonly Piece[], rates: Float64Array): readonly number[] {
  const ends: number[] = [];
  let length = 0;
  let changing = 0;
  for (let index = 0; index < pieces.length; index++) {
    length += pieces[index]?.bytes.length ?? 0;
    changing = Math.max(changing, changingOf(rates[index] ?? 0));
    const isLast = index === pieces.length - 1;
    const isLong = length >= (changing === 2 ? bytesOfChangingRun : bytesOfRun);
    const isOther = length >= leastBytes && changingOf(rates[index + 1] ?? 0) !== changing;
    if (!isLast && !isLong && !isOther) continue;
    ends.push(index + 1);
    length = 0;
    changing = 0;
  }
  return ends;
}

function cut(pieces: readonly Piece[], ends: readonly number[]): readonly Run[] {
  const runs: Run[] = [];
  let from = 0;
  for (const end of ends) {
    const run = pieces.slice(from, end);
    if (isRun(run)) runs.push(run);
    from = end;
  }
  return runs;
}

function isRun(pieces: readonly Piece[]): pieces is Run {
  return pieces.length > 0;
}
