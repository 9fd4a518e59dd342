import { type CollectorHost, listCollectors } from "./assemble-collectors.ts";
import type { Config } from "./config.ts";
import { AgentError, reasonOf } from "./errors.ts";
import type { Logger } from "./log.ts";
import { type CompatibleGroup, type MetricGroup, metricGroups } from "./metric-choice.ts";
import { createCollectorGroup } from "./metrics/collector-group.ts";
import { createExposition, type ExpositionFormat } from "./metrics/exposition.ts";
import type { OwnMetrics } from "./metrics/own-metrics.ts";
import { createPiece, type Piece } from "./metrics/pieces.ts";
import { createScrapeCache, type ScrapeCache, type ScrapeTarget } from "./metrics/scrape-cache.ts";
import type { Snapshot } from "./model.ts";

export interface MetricsParts extends CollectorHost {
  readonly own: OwnMetrics;
  readonly latest: () => Snapshot | undefined;
}

/**
 * All that is on of the metrics, group by group.
 * @throws AgentError when a collector's setting does not fit
 */
export function assembleMetrics(config: Config, parts: MetricsParts, log: Logger): ScrapeCache {
  const chosen = config.metricsFamilies;
  const exposition = createExposition({
    maxSeries: config.metricsMaxSeries,
    topProcesses: config.metricsTopProcesses,
  });
  const warn = warnOnce(log);
  const render = new Map<MetricGroup, RenderGroup>();
  if (chosen.has("pidward")) {
    render.set("pidward", async (snapshot, format) => [
      ...exposition.render(snapshot, format),
      createPiece((await parts.own.render(format)).replace(/# EOF\n$/, "")),
    ]);
  }
  const collectors = listCollectors(config, parts, log).filter(
    ({ group, name }) => chosen.get(group)?.has(name) === true,
  );
  for (const group of metricGroups) {
    if (group === "pidward" || !chosen.has(group)) continue;
    const { render: renderGroup } = createCollectorGroup({
      group,
      collectors: collectors.filter((one) => one.group === (group satisfies CompatibleGroup)),
      maxSeries: config.metricsMaxSeries,
      monotonicMs: parts.monotonicMs,
      onFailure: (collector, error) => {
        parts.own.collectorFailed(collector);
        warn(collector, error);
      },
      onDropped: parts.own.seriesDropped,
    });
    render.set(group, renderGroup);
  }
  return createScrapeCache({
    latest: parts.latest,
    scanIntervalMs: config.scanInterval,
    monotonicMs: parts.monotonicMs,
    render: async (target, snapshot, format) => {
      const pieces: Piece[] = [];
      for (const one of renderersOf(target, render)) pieces.push(...(await one(snapshot, format)));
      if (format === "openmetrics") pieces.push(createPiece("# EOF\n"));
      return pieces;
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
