/** One look at the agent: mebibytes, but for the descriptors. */
export interface Sample {
  readonly resident: number;
  readonly heap: number;
  readonly descriptors: number;
}

interface Verdict {
  readonly what: keyof Sample;
  readonly middle: number;
  readonly last: number;
  /** How much more the last third may have than the middle one. */
  readonly allowed: number;
  readonly isFlat: boolean;
}

/** A collector of garbage comes when it likes, so medians are compared; a leak grows with every container. */
const allowances: Readonly<Record<keyof Sample, (middle: number) => number>> = {
  resident: (middle) => Math.max(8, 0.1 * middle),
  heap: (middle) => Math.max(5, 0.2 * middle),
  descriptors: () => 3,
};

/** Whether the last third of a run has what the middle third had; the first one warms up. */
export function judgeFlatness(samples: readonly Sample[]): readonly Verdict[] {
  const third = Math.floor(samples.length / 3);
  const medianOf = (of: readonly Sample[], what: keyof Sample): number =>
    of.map((one) => one[what]).sort((a, b) => a - b)[of.length >> 1] ?? Number.NaN;
  return (["resident", "heap", "descriptors"] as const).map((what) => {
    const middle = medianOf(samples.slice(third, 2 * third), what);
    const last = medianOf(samples.slice(2 * third), what);
    const allowed = allowances[what](middle);
    return { what, middle, last, allowed, isFlat: last - middle <= allowed };
  });
}
