import { type CompatibleGroup, type MetricGroup, metricGroups } from "../metric-choice.ts";

/** Of ten parts; a group that is off leaves its parts to the others. */
const weights: Readonly<Record<MetricGroup, number>> = { pidward: 4, container: 3, namedprocess: 2, node: 1 };

/**
 * How the bound on series is shared. pidward's own families have their parts for certain; so has each compatible group,
 * and besides what the others of them did not use in their last rendering: when one grows beyond its parts while another
 * comes to want its own, the bound is exceeded for one rendering, and nothing is lost.
 */
export interface SeriesShares {
  of(group: CompatibleGroup): number;
  /** Of pidward's own families: its parts, and all that the others leave. To be asked after them. */
  ofOwn(): number;
  /** What a group's last rendering had. */
  used(group: CompatibleGroup, series: number): void;
}

export function createSeriesShares(maxSeries: number, groups: readonly MetricGroup[]): SeriesShares {
  const whole = groups.reduce((sum, group) => sum + weights[group], 0);
  const share = (group: MetricGroup): number =>
    groups.includes(group) ? Math.floor((maxSeries * weights[group]) / whole) : 0;
  const usedBy = new Map<CompatibleGroup, number>();
  const usedBeside = (group: MetricGroup): number =>
    [...usedBy].reduce((sum, [one, series]) => (one === group ? sum : sum + series), 0);
  const compatible = metricGroups.reduce((sum, group) => (group === "pidward" ? sum : sum + share(group)), 0);
  return {
    of: (group) => Math.max(share(group), compatible - usedBeside(group)),
    ofOwn: () => Math.max(share("pidward"), maxSeries - usedBeside("pidward")),
    used: (group, series) => void usedBy.set(group, series),
  };
}
