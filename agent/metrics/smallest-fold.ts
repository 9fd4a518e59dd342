import { findLargest } from "./largest.ts";

/** What the sum of the smallest is called. */
export const otherLabel = "other";

/** Those that have series of their own, and the sum of the rest. */
export interface Folded<T> {
  readonly kept: readonly T[];
  /** Undefined while nothing was ever folded. */
  readonly other: T | undefined;
  /** Those that are in it now. */
  readonly folded: readonly T[];
}

/** How things of one kind are measured and summed. */
export interface FoldKind<T> {
  /** Memory in bytes; NaN counts as none. */
  readonly sizeOf: (one: T) => number;
  /** Its counters, always as many; NaN where one could not be read. */
  readonly countersOf: (one: T) => readonly number[];
  /** @param counters what the sum's counters are; gauges are those of the folded ones */
  readonly sumUp: (folded: readonly T[], counters: readonly number[]) => T;
}

/**
 * @param keysOf what each is known by from one call to the next, in the items' order; called now or in the next call
 * @param most how many may be left, the sum among them
 */
export type Fold<T> = (items: readonly T[], keysOf: () => readonly string[], most: number) => Folded<T>;

/**
 * Sums the smallest, by memory, into one. Its counters add up what each used while it was folded, so they never fall,
 * whichever come and go.
 */
export function createFold<T>(kind: FoldKind<T>): Fold<T> {
  /** Keys of those kept, and the figures of those that were folded, in the last call. */
  let kept = new Set<string>();
  let folded = new Map<string, readonly number[]>();
  const sums: number[] = [];
  let hasFolded = false;
  /** Of the last call while nothing was ever folded: they are made when they are needed. */
  let wholeKeys: (() => readonly string[]) | undefined;

  const addUp = (key: string, figures: readonly number[]): void => {
    const before = folded.get(key) ?? (kept.has(key) ? figures : undefined);
    for (const [at, figure] of figures.entries())
      sums[at] = (sums[at] ?? 0) + Math.max(0, figure - (before?.[at] || 0) || 0);
  };
  return (items, keysOf, most) => {
    if (!hasFolded && items.length <= most) {
      wholeKeys = keysOf;
      return { kept: items, other: undefined, folded: [] };
    }
    if (wholeKeys !== undefined) kept = new Set(wholeKeys());
    wholeKeys = undefined;
    const keys = keysOf();
    const keyed = items.map((one, index) => ({ one, key: keys[index] ?? "" }));
    const measures = {
      sizeOf: ({ one }: (typeof keyed)[number]) => kind.sizeOf(one),
      wasKept: ({ key }: (typeof keyed)[number]) => kept.has(key),
    };
    // One is left for the sum.
    const largest = items.length < most ? undefined : findLargest(keyed, most - 1, measures);
    const nextKept = new Set<string>();
    const nextFolded = new Map<string, readonly number[]>();
    const [left, summed]: [T[], T[]] = [[], []];
    for (const item of keyed) {
      const { one, key } = item;
      if (largest === undefined || largest.has(item)) {
        nextKept.add(key);
        left.push(one);
        continue;
      }
      const figures = kind.countersOf(one);
      addUp(key, figures);
      nextFolded.set(key, figures);
      summed.push(one);
    }
    hasFolded ||= summed.length > 0;
    kept = nextKept;
    folded = nextFolded;
    return { kept: left, other: hasFolded ? kind.sumUp(summed, sums) : undefined, folded: summed };
  };
}
