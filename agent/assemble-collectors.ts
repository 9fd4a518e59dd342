import { assembleCadvisor } from "./assemble-cadvisor.ts";
import { assembleNodeHost } from "./assemble-node-host.ts";
import type { Config } from "./config.ts";
import type { ContainerLayers, ContainerRuntime } from "./containers/runtime.ts";
import type { Logger } from "./log.ts";
import { listNodeCollectors } from "./metrics/compat/node/collectors.ts";
import {
  createNamedProcessCollectors,
  type NamedProcessReadings,
} from "./metrics/compat/process-exporter.ts";
import type { Collector } from "./metrics/samples.ts";
import type { SeriesShares } from "./metrics/series-shares.ts";
import type { KernelUnits } from "./model.ts";
import type { CgroupLayout } from "./source/cgroupfs/layout.ts";
import { createSpaceReader } from "./source/host/space-reader.ts";
import type { Syscalls } from "./syscalls.ts";

/** A file system that does not answer within this is taken for dead until it does. */
const spaceLimitMs = 1000;
/** Of the pool's threads, see main.ts. */
const mostStuckMounts = 8;

/** What collectors read by. */
export interface CollectorHost {
  readonly units: KernelUnits;
  readonly cgroups: CgroupLayout;
  readonly version: string;
  /** Undefined where koffi cannot be had. */
  readonly syscalls: Syscalls | undefined;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
  readonly runtimes: readonly (Pick<ContainerRuntime, "status" | "list"> & ContainerLayers)[];
  /** What is summed for namedprocess_*; undefined while nobody wants it. */
  readonly groups: NamedProcessReadings | undefined;
  /** How many series a group may have. */
  readonly shares: Pick<SeriesShares, "of">;
  readonly onCgroupsLeftOut: (count: number) => void;
}

/**
 * Every collector, in the order in which its families are shown; those that are off are left out by the caller.
 * @throws AgentError when a setting of one does not fit
 */
export function listCollectors(config: Config, host: CollectorHost, log: Logger): readonly Collector[] {
  const { groups, version, shares } = host;
  const mostSeries = (): number => shares.of("namedprocess");
  // One for all: who is stuck is stuck for all.
  const space = createSpaceReader({ limitMs: spaceLimitMs, mostStuck: mostStuckMounts });
  return [
    ...assembleCadvisor(config, host, space, log),
    ...(groups === undefined ? [] : createNamedProcessCollectors({ ...groups, version, mostSeries })),
    ...listNodeCollectors(assembleNodeHost(config, host, space)),
  ];
}
