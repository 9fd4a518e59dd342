import type { ContainerResources } from "./api.ts";
import { type AssembledGroups, assembleGroups } from "./assemble-groups.ts";
import { assembleMetrics } from "./assemble-metrics.ts";
import type { Config } from "./config.ts";
import { createDockerRuntime, type DockerRuntime } from "./containers/docker.ts";
import { type ContainerResolver, containerCgroups, createContainerResolver } from "./containers/resolver.ts";
import { AgentError } from "./errors.ts";
import { createEventJournal, type EventJournal } from "./inventory/event-journal.ts";
import { createExitWatch, type ExitWatch } from "./inventory/exit-watch.ts";
import { type FeatureFacts, listFeatures } from "./inventory/features.ts";
import { createManagedPrograms, type ManagedPrograms } from "./inventory/managed-programs.ts";
import { createOomWatch } from "./inventory/oom-watch.ts";
import { type OwnRights, readOwnRights } from "./inventory/own-rights.ts";
import { defaultRules, type GroupRule } from "./inventory/process-groups/rules.ts";
import { createScanner, type Scanner } from "./inventory/scanner.ts";
import { createTracker } from "./inventory/tracker.ts";
import type { Logger } from "./log.ts";
import { createManagerFinders } from "./managers/find-managers.ts";
import type { ManagerFinder, ManagerParts } from "./managers/manager.ts";
import { createOwnMetrics, type OwnMetrics } from "./metrics/own-metrics.ts";
import type { ScrapeCache } from "./metrics/scrape-cache.ts";
import type { Container, KernelUnits, Snapshot } from "./model.ts";
import { redactArguments } from "./redact.ts";
import { createCgroupTexts } from "./source/cgroupfs/cgroup-texts.ts";
import { type CgroupLayout, detectCgroups } from "./source/cgroupfs/layout.ts";
import { readOomKills } from "./source/cgroupfs/oom-kills.ts";
import { readResources } from "./source/cgroupfs/resources.ts";
import { chooseSources } from "./source/choose-source.ts";
import type { ProcessSource } from "./source/process-source.ts";
import { createCommandReader } from "./source/procfs/aio-reader.ts";
import { readKernelUnits } from "./source/procfs/kernel-units.ts";
import { createProcessFiles, type ProcessFiles } from "./source/procfs/process-files.ts";
import type { Syscalls } from "./syscalls.ts";

/** The parts that read: kernel and engine to snapshots and metrics. */
export interface Host {
  readonly units: KernelUnits;
  readonly source: ProcessSource;
  /** Why processes are read by procfs or by BPF in a slower way, although better would be; null when not so, or it was asked for. */
  readonly sourceReason: string | null;
  readonly cgroups: CgroupLayout;
  /** In the order in which they are asked for an id. */
  readonly runtimes: readonly DockerRuntime[];
  readonly resolver: ContainerResolver;
  readonly scanner: Scanner;
  readonly files: ProcessFiles;
  readonly managed: ManagedPrograms;
  readonly inside: InsideRunner;
  readonly scrapes: ScrapeCache;
  readonly own: OwnMetrics;
  /** Of the agent, as it was started. */
  readonly rights: OwnRights;
  /** What the features depend on, now. */
  readonly featureFacts: () => FeatureFacts;
  readonly events: EventJournal;
  readonly exitWatch: ExitWatch;
  /** What namedprocess_* is made of; undefined while nobody wants it. */
  readonly groups: AssembledGroups | undefined;
  readonly eventSource: EventSource;
  readonly readContainerResources: (container: Container, cgroupText: string) => ContainerResources | null;
}

/** Runs commands in containers for the managers that want it; what acts is assembled later and puts itself in. */
export interface InsideRunner {
  run: ManagerParts["runInside"] | undefined;
}

/** Without koffi nothing in a container can be looked at safely: then no manager is looked for. */
function findersFor(
  config: Config,
  syscalls: Syscalls | undefined,
  files: ProcessFiles,
  inside: InsideRunner,
): readonly ManagerFinder[] {
  if (syscalls === undefined) return [];
  return createManagerFinders({
    runInside: (container, argv) => {
      if (inside.run === undefined)
        throw new AgentError("unavailable", "commands in containers cannot be run yet");
      return inside.run(container, argv);
    },
    procRoot: config.pathProcfs,
    syscalls,
    readStat: files.readStat,
    readEnviron: files.readEnviron,
    readLink: files.readLink,
    monotonicMs,
  });
}

/** How ends of processes are learned. */
export interface EventSource {
  readonly name: "bpf" | "connector" | "snapshot";
  /** Why it is not BPF; null when it is, or was asked for. */
  readonly reason: string | null;
  /** Ends that could not be told. */
  readonly lost: () => number;
}

/** Events that a reader which comes back can still have. */
const rememberedEvents = 10_000;

/** Programs that are kept apart: names come from containers, which could make up endless ones. */
const maxPrograms = 20_000;

export function monotonicMs(): number {
  return performance.now();
}

/** @throws AgentError when the host cannot be read, or a setting does not fit */
export function assembleHost(
  config: Config,
  syscalls: Syscalls | undefined,
  log: Logger,
  version: string,
  rules: readonly GroupRule[] = defaultRules(),
): Host {
  const units = readKernelUnits(config.pathProcfs, Date.now());
  const cgroups = detectCgroups(config.pathSysfs);
  const commands = createCommandReader(syscalls);
  const { source, sourceReason, exits, exitsReason } = chooseSources({
    source: config.source,
    eventsSource: config.eventsSource,
    procRoot: config.pathProcfs,
    sysRoot: config.pathSysfs,
    units,
    cgroups: createCgroupTexts(cgroups),
    commands,
    syscalls,
    now: Date.now,
    monotonicNs: () => Number(process.hrtime.bigint()),
  });
  const eventSource = {
    name: exits?.name ?? ("snapshot" as const),
    reason: exitsReason,
    lost: () => exits?.lost() ?? 0,
  };
  const runtimes = [createDockerRuntime({ endpoint: config.dockerSocket, log })];
  const resolver = createContainerResolver(runtimes);
  const rights = readOwnRights(config.pathProcfs, process.geteuid?.() ?? 0);
  const featureFacts = (): FeatureFacts => ({
    ...rights,
    hasSyscalls: syscalls !== undefined,
    isEngineThere: runtimes.some((runtime) => runtime.status().available),
    allowNamespaces: config.controlAllowNamespaces,
    source: source.name,
    eventsSource: eventSource.name,
  });
  const own = createOwnMetrics({
    version,
    source: source.name,
    sourceReason,
    events: eventSource,
    runtimes: () => runtimes.map((runtime) => runtime.status()),
    features: () => listFeatures(featureFacts()),
    refreshMs: config.metricsRefresh,
    monotonicMs,
  });
  const files = createProcessFiles(config.pathProcfs);
  const inside: InsideRunner = { run: undefined };
  const managed = createManagedPrograms({
    finders: findersFor(config, syscalls, files, inside),
    monotonicMs,
    log,
  });
  const groups = assembleGroups(config, rules, units, files, monotonicMs);
  const tracker = createTracker({
    managed,
    observer: groups?.groups,
    resolve: resolver.resolve,
    knownContainers: resolver.known,
    units,
    maxPrograms,
  });
  // In base 36: the run's start tells its ids from those of other runs.
  const events = createEventJournal(Date.now().toString(36), rememberedEvents, units);
  const exitWatch = createExitWatch({
    source: exits,
    tracker,
    journal: events,
    resolve: resolver.resolve,
    oom: createOomWatch((cgroupText) => readOomKills(cgroups, containerCgroups(cgroupText))),
    units,
    showCommand: config.redact ? redactArguments : (argv) => argv,
    log,
    now: Date.now,
  });
  const scanner = createScanner({
    source,
    tracker,
    intervalMs: config.scanInterval,
    log,
    clock: { now: Date.now, monotonicSeconds: () => monotonicMs() / 1000 },
    beforeSnapshot: exitWatch.drain,
    onTimer: own.timerCame,
    onFailure: () => groups?.groups.scanFailed(),
    onSnapshot: (snapshot: Snapshot) => {
      own.scanned(snapshot);
      exitWatch.observe(snapshot);
      groups?.observe();
      managed.observe(snapshot);
      resolver.sweep();
      // Later in the loop, when the snapshot is the latest and the scan's own block has ended.
      setImmediate(() => void scrapes.warm());
    },
  });
  const scrapes = assembleMetrics(
    config,
    { units, cgroups, version, syscalls, runtimes, groups, own, latest: () => scanner.latest(), monotonicMs },
    log,
  );
  return {
    units,
    source,
    sourceReason,
    cgroups,
    runtimes,
    resolver,
    scanner,
    files,
    managed,
    inside,
    scrapes,
    own,
    rights,
    featureFacts,
    events,
    exitWatch,
    groups,
    eventSource,
    readContainerResources: (_, cgroupText) =>
      readResources(cgroups, containerCgroups(cgroupText), units.ticksPerSecond),
  };
}
