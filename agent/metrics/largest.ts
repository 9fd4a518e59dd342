/** One that has become larger than another stays below it until it is this many times as large: no coming and going. */
const stickiness = 2;

export interface Measures<T> {
  /** Memory in bytes; NaN counts as none. */
  readonly sizeOf: (one: T) => number;
  /** Whether it was among the largest the last time. */
  readonly wasKept: (one: T) => boolean;
  /** What goes before size: the lowest first. */
  readonly rankOf?: (one: T) => number;
}

/** So many of the items, the largest; one that was kept is measured as larger than it is. */
export function findLargest<T>(
  items: readonly T[],
  count: number,
  { sizeOf, wasKept, rankOf = () => 0 }: Measures<T>,
): ReadonlySet<T> {
  const measured = items.map((one) => ({
    one,
    rank: rankOf(one),
    size: sizeOf(one) * (wasKept(one) ? stickiness : 1) || 0,
  }));
  measured.sort((a, b) => a.rank - b.rank || b.size - a.size);
  return new Set(measured.slice(0, Math.max(0, count)).map(({ one }) => one));
}
