/** The sum of what could be read: NaN stands for what could not. */
export function sumReadable(figures: readonly number[]): number {
  return figures.reduce((sum, figure) => (Number.isNaN(figure) ? sum : sum + figure), 0);
}

/** The least of what could be read; NaN where nothing could. */
export function leastReadable(figures: readonly number[]): number {
  const readable = figures.filter((one) => !Number.isNaN(one));
  return readable.length === 0 ? Number.NaN : Math.min(...readable);
}

/** The greatest of what could be read; NaN where nothing could. */
export function greatestReadable(figures: readonly number[]): number {
  return -leastReadable(figures.map((one) => -one));
}

/** A counter's sum to a microsecond, as those are that it is of. */
export function roundCounter(sum = 0): number {
  return Math.round(sum * 1e6) / 1e6;
}

/** One figure for each name. */
export function recordOf<K extends string>(
  names: readonly K[],
  figure: (name: K, index: number) => number,
): Record<K, number> {
  return Object.fromEntries(names.map((name, index) => [name, figure(name, index)])) as Record<K, number>;
}
