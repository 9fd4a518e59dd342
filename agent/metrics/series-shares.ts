import type { CompatibleGroup, MetricGroup } from "../metric-choice.ts";

/** Of ten parts; a group that is off leaves its parts to the others. */
const weights: Readonly<Record<MetricGroup, number>> = { pidward: 4, container: 3, namedprocess: 2, node: 1 };

/** How the bound on series is shared: each group has a share for certain, and pidward's own what the others leave. */
export interface SeriesShares {
  of(group: CompatibleGroup): number;
  /** Of pidward's own families. */
  ofOwn(): number;
  /** What a group's last rendering had. */
  used(group: CompatibleGroup, series: number): void;
}

export function createSeriesShares(maxSeries: number, groups: readonly MetricGroup[]): SeriesShares {
  const whole = groups.reduce((sum, group) => sum + weights[group], 0);
  const share = (group: MetricGroup): number => Math.floor((maxSeries * weights[group]) / Math.max(1, whole));
  const usedBy = new Map<CompatibleGroup, number>();
  for (const group of groups) if (group !== "pidward") usedBy.set(group, 0);
  return {
    of: share,
    ofOwn: () => {
      const used = [...usedBy.values()].reduce((sum, series) => sum + series, 0);
      return Math.max(share("pidward"), maxSeries - used);
    },
    used: (group, series) => void usedBy.set(group, Math.min(series, share(group))),
  };
}
