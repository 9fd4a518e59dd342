import { findLargest } from "../../largest.ts";
import type { Collector } from "../../samples.ts";
import type { CgroupPlace } from "./cgroup-places.ts";

/** A cgroup that could be shown. */
export interface CgroupCandidate extends CgroupPlace {
  /** Memory of its processes; asked only when not all have room. */
  readonly residentBytes: () => number;
}

/**
 * Keeps the number of cgroups such that their series fit. What is left out is in the figures of the cgroups above it, up to
 * `/`: no sum is made of it.
 */
export interface CgroupBound {
  /** The root, then containers, then other cgroups, the largest first; in the given order. */
  choose(candidates: readonly CgroupCandidate[]): readonly CgroupCandidate[];
  /** The collector, whose series are counted. */
  counted(collector: Collector): Collector;
}

/** Of a container with all that is on by default; how many there really are is known after the first collection. */
const expectedSeries = 100;
/** Room for what is not a cgroup's. */
const share = 0.95;

/** @param onLeftOut is told how many are left out, each time they are chosen */
export function createCgroupBound(mostSeries: () => number, onLeftOut: (count: number) => void): CgroupBound {
  let seriesOfOne = expectedSeries;
  let series = 0;
  let chosen: ReadonlySet<string> = new Set();
  const measures = {
    sizeOf: ({ residentBytes }: CgroupCandidate) => residentBytes(),
    wasKept: ({ path }: CgroupCandidate) => chosen.has(path),
    rankOf,
  };
  return {
    choose: (candidates) => {
      if (series > 0 && chosen.size > 0) seriesOfOne = series / chosen.size;
      series = 0;
      const most = Math.max(1, Math.floor((mostSeries() * share) / seriesOfOne));
      const hasRoom = candidates.length <= most;
      const largest = hasRoom ? undefined : findLargest(candidates, most, measures);
      const shown = largest === undefined ? candidates : candidates.filter((one) => largest.has(one));
      chosen = new Set(shown.map(({ path }) => path));
      onLeftOut(candidates.length - shown.length);
      return shown;
    },
    counted: (collector) => ({
      ...collector,
      collect: async (snapshot) => {
        const families = await collector.collect(snapshot);
        for (const { samples } of families) series += samples.length;
        return families;
      },
    }),
  };
}

function rankOf({ path, index }: CgroupCandidate): number {
  if (path === "/" || path === "") return 0;
  return index === -1 ? 2 : 1;
}
