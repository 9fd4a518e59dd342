import { type CollectorHost, listCollectors } from "./assemble-collectors.ts";
import type { Config } from "./config.ts";
import { AgentError, reasonOf } from "./errors.ts";
import type { Logger } from "./log.ts";
import { type CompatibleGroup, type MetricGroup, metricGroups } from "./metric-choice.ts";
import { createCollectorGroup } from "./metrics/collector-group.ts";
import { nodeBuildInfo } from "./metrics/compat/node/build-info.ts";
import { createExposition, type ExpositionFormat } from "./metrics/exposition.ts";
import type { OwnMetrics } from "./metrics/own-metrics.ts";
import { createPiece, createPieceMemo, type Piece } from "./metrics/pieces.ts";
import { createScrapeCache, type ScrapeCache, type ScrapeTarget } from "./metrics/scrape-cache.ts";
import { createSeriesShares } from "./metrics/series-shares.ts";
import type { Snapshot } from "./model.ts";

export interface MetricsParts extends Omit<CollectorHost, "shares" | "onCgroupsLeftOut"> {
  readonly own: OwnMetrics;
  readonly latest: () => Snapshot | undefined;
}

/**
 * All that is on of the metrics, group by group.
 * @throws AgentError when a collector's setting does not fit
 */
export function assembleMetrics(config: Config, parts: MetricsParts, log: Logger): ScrapeCache {
  const chosen = config.metricsFamilies;
  const exposition = createExposition({ topProcesses: config.metricsTopProcesses });
  const shares = createSeriesShares(config.metricsMaxSeries, [...chosen.keys()]);
  const warn = warnOnce(log);
  const render = new Map<MetricGroup, RenderGroup>();
  if (chosen.has("pidward")) {
    const memo = createPieceMemo();
    render.set("pidward", async (snapshot, format) => {
      const pieces = exposition.render(snapshot, format, shares.ofOwn());
      const own = await parts.own.render(format);
      return [...pieces, ...own.map((text, index) => memo(`${format} ${index}`, text))];
    });
  }
  const collectors = listCollectors(
    config,
    { ...parts, shares, onCgroupsLeftOut: parts.own.cgroupsLeftOut },
    log,
  ).filter(({ group, name }) => chosen.get(group)?.has(name) === true);
  for (const group of metricGroups) {
    if (group === "pidward" || !chosen.has(group)) continue;
    const { render: renderGroup } = createCollectorGroup({
      group,
      collectors: collectors.filter((one) => one.group === (group satisfies CompatibleGroup)),
      constant: group === "node" ? [nodeBuildInfo(parts.version, process.versions.node, process.arch)] : [],
      maxSeries: () => shares.of(group),
      // The sums of namedprocess_* are there after each scan.
      refreshMs: group === "namedprocess" ? 0 : config.metricsRefresh,
      monotonicMs: parts.monotonicMs,
      onFailure: (collector, error) => {
        parts.own.collectorFailed(collector);
        warn(collector, error);
      },
      onRendered: (written, dropped) => {
        shares.used(group, written);
        parts.own.seriesDropped(group, dropped);
      },
    });
    render.set(group, renderGroup);
  }
  return createScrapeCache({
    latest: parts.latest,
    scanIntervalMs: config.scanInterval,
    monotonicMs: parts.monotonicMs,
    render: async (target, snapshot, format) => {
      const groups: (readonly Piece[])[] = [];
      // pidward's own, which stand first, come last: they get the series that the others leave.
      for (const one of [...renderersOf(target, render)].reverse())
        groups.unshift(await one(snapshot, format));
      const end = format === "openmetrics" ? [createPiece("# EOF\n")] : [];
      return [...groups.flat(), ...end];
    },
  });
}

type RenderGroup = (snapshot: Snapshot, format: ExpositionFormat) => Promise<readonly Piece[]>;

/** @throws AgentError `not_found` for a group that is off */
function renderersOf(
  target: ScrapeTarget,
  render: ReadonlyMap<MetricGroup, RenderGroup>,
): Iterable<RenderGroup> {
  if (target === "all") return render.values();
  const own = render.get(target);
  if (own === undefined)
    throw new AgentError("not_found", `the family ${target} is off (--metrics.families switches it)`);
  return [own];
}

/** A collector that fails does so at each scrape: it is told when the reason changes. */
function warnOnce(log: Logger): (collector: string, error: unknown) => void {
  const told = new Map<string, string>();
  return (collector, error) => {
    const reason = reasonOf(error);
    if (told.get(collector) === reason) return;
    told.set(collector, reason);
    log.warn(
      "a collector failed",
      error instanceof AgentError ? { collector, reason } : { collector, error },
    );
  };
}
