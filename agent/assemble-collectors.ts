import type { Config } from "./config.ts";
import { parseCgroupPath } from "./containers/cgroup-path.ts";
import type { ContainerLayers, ContainerRuntime } from "./containers/runtime.ts";
import { reasonOf } from "./errors.ts";
import type { Logger } from "./log.ts";
import { createCadvisorCollectors } from "./metrics/compat/cadvisor/cadvisor-collectors.ts";
import type { Collector } from "./metrics/samples.ts";
import type { KernelUnits } from "./model.ts";
import type { CgroupLayout } from "./source/cgroupfs/layout.ts";
import { createFileSystemSizes } from "./source/machine/file-system-sizes.ts";

/** What collectors read by. */
export interface CollectorHost {
  readonly units: KernelUnits;
  readonly cgroups: CgroupLayout;
  readonly version: string;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
  readonly runtimes: readonly (Pick<ContainerRuntime, "status" | "list"> & ContainerLayers)[];
}

/**
 * Every collector, in the order in which its families are shown; those that are off are left out by the caller.
 * @throws AgentError when a setting of one does not fit
 */
export function listCollectors(config: Config, host: CollectorHost, log: Logger): readonly Collector[] {
  return [...cadvisorCollectors(config, host, log)];
}

function cadvisorCollectors(config: Config, host: CollectorHost, log: Logger): readonly Collector[] {
  const on = config.metricsFamilies.get("container");
  return createCadvisorCollectors({
    layout: host.cgroups,
    procRoot: config.pathProcfs,
    sysRoot: config.pathSysfs,
    rootfs: config.pathRootfs,
    units: host.units,
    version: host.version,
    monotonicMs: host.monotonicMs,
    isOn: (collector) => on?.has(collector) === true,
    ownContainer,
    isLabelWanted: config.containersLabels,
    engineVersion: () => host.runtimes.map((runtime) => runtime.status().version ?? "").find(Boolean) ?? "",
    fileSystems: createFileSystemSizes(),
    measureLayer: async (id) => {
      const runtime = host.runtimes.find((one) => one.list().some((container) => container.id === id));
      return runtime?.measureLayer(id);
    },
    onLayerFailure: (error) => log.debug("a container's layer was not measured", { reason: reasonOf(error) }),
  });
}

/** The container whose own cgroup this is; those below it are not. */
function ownContainer(path: string): string | undefined {
  const place = parseCgroupPath(path);
  return place !== undefined && place.depth === path.split("/").length ? place.containerId : undefined;
}
