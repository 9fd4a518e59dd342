import type { ContainerResources } from "./api.ts";
import type { Config } from "./config.ts";
import { createDockerRuntime, type DockerRuntime } from "./containers/docker.ts";
import { type ContainerResolver, containerCgroups, createContainerResolver } from "./containers/resolver.ts";
import { createScanner, type Scanner } from "./inventory/scanner.ts";
import { createTracker } from "./inventory/tracker.ts";
import type { Logger } from "./log.ts";
import { createExposition } from "./metrics/exposition.ts";
import { programFamilies, seriesPerSubject } from "./metrics/families.ts";
import { createOwnMetrics, type OwnMetrics } from "./metrics/own-metrics.ts";
import { createScrapeCache, type ScrapeCache } from "./metrics/scrape-cache.ts";
import type { Container, KernelUnits, Snapshot } from "./model.ts";
import { type CgroupLayout, detectCgroups } from "./source/cgroupfs/layout.ts";
import { readResources } from "./source/cgroupfs/resources.ts";
import { chooseSource } from "./source/choose-source.ts";
import type { ProcessSource } from "./source/process-source.ts";
import { readKernelUnits } from "./source/procfs/kernel-units.ts";
import { createProcessFiles, type ProcessFiles } from "./source/procfs/process-files.ts";
import type { Syscalls } from "./syscalls.ts";

/** The parts that read: kernel and engine to snapshots and metrics. */
export interface Host {
  readonly units: KernelUnits;
  readonly source: ProcessSource;
  /** Why processes are read by procfs although BPF would be better; null when they are not, or it was asked for. */
  readonly sourceReason: string | null;
  readonly cgroups: CgroupLayout;
  /** In the order in which they are asked for an id. */
  readonly runtimes: readonly DockerRuntime[];
  readonly resolver: ContainerResolver;
  readonly scanner: Scanner;
  readonly files: ProcessFiles;
  readonly scrapes: ScrapeCache;
  readonly own: OwnMetrics;
  readonly readContainerResources: (container: Container, cgroupText: string) => ContainerResources | null;
}

export function monotonicMs(): number {
  return performance.now();
}

/** @throws AgentError when the host cannot be read, or a setting does not fit */
export function assembleHost(
  config: Config,
  syscalls: Syscalls | undefined,
  log: Logger,
  version: string,
): Host {
  const units = readKernelUnits(config.pathProcfs);
  const { source, reason: sourceReason } = chooseSource({
    wanted: config.source,
    procRoot: config.pathProcfs,
    sysRoot: config.pathSysfs,
    units,
    syscalls,
  });
  const cgroups = detectCgroups(config.pathSysfs);
  const runtimes = [createDockerRuntime({ endpoint: config.dockerSocket, log })];
  const resolver = createContainerResolver(runtimes);
  const own = createOwnMetrics({
    version,
    source: source.name,
    sourceReason,
    runtimes: () => runtimes.map((runtime) => runtime.status()),
  });
  const tracker = createTracker({
    resolve: resolver.resolve,
    knownContainers: resolver.known,
    units,
    // The rest is for containers and single processes.
    maxPrograms: Math.floor((config.metricsMaxSeries * 0.8) / seriesPerSubject(programFamilies)),
  });
  const scanner = createScanner({
    source,
    tracker,
    intervalMs: config.scanInterval,
    log,
    clock: { now: Date.now, monotonicSeconds: () => monotonicMs() / 1000 },
    onSnapshot: (snapshot: Snapshot) => {
      own.scanned(snapshot);
      resolver.sweep();
      // Later in the loop, when the snapshot is the latest and the scan's own block has ended.
      setImmediate(() => void scrapes.warm());
    },
  });
  const exposition = createExposition({
    maxSeries: config.metricsMaxSeries,
    topProcesses: config.metricsTopProcesses,
  });
  const scrapes: ScrapeCache = createScrapeCache({
    latest: () => scanner.latest(),
    render: async (snapshot, format) => exposition.render(snapshot, format) + (await own.render(format)),
    monotonicMs,
  });
  return {
    units,
    source,
    sourceReason,
    cgroups,
    runtimes,
    resolver,
    scanner,
    files: createProcessFiles(config.pathProcfs),
    scrapes,
    own,
    readContainerResources: (_, cgroupText) =>
      readResources(cgroups, containerCgroups(cgroupText), units.ticksPerSecond),
  };
}
