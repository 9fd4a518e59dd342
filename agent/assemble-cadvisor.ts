import type { CollectorHost } from "./assemble-collectors.ts";
import type { Config } from "./config.ts";
import { parseCgroupPath } from "./containers/cgroup-path.ts";
import { reasonOf } from "./errors.ts";
import type { Logger } from "./log.ts";
import { createCadvisorCollectors } from "./metrics/compat/cadvisor/cadvisor-collectors.ts";
import type { Collector } from "./metrics/samples.ts";
import type { SpaceReader } from "./source/host/space-reader.ts";

/** The collectors of `container_*` and `machine_*`. */
export function assembleCadvisor(
  config: Config,
  host: CollectorHost,
  space: SpaceReader,
  log: Logger,
): readonly Collector[] {
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
    ownContainer: rememberAnswers(ownContainer),
    isLabelWanted: config.containersLabels,
    engineVersion: () => host.runtimes.map((runtime) => runtime.status().version ?? "").find(Boolean) ?? "",
    mostSeries: () => host.shares.of("container"),
    onLeftOut: host.onCgroupsLeftOut,
    space,
    measureLayer: async (id) => {
      const runtime = host.runtimes.find((one) => one.list().some((container) => container.id === id));
      return runtime?.measureLayer(id);
    },
    onLayerFailure: (error) => log.debug("a container's layer was not measured", { reason: reasonOf(error) }),
  });
}

/** Paths whose answers are remembered: with more of them it begins anew. */
const mostPaths = 10_000;

/** The same paths are asked for at each reading. */
function rememberAnswers<T>(answer: (path: string) => T): (path: string) => T {
  const known = new Map<string, { readonly answer: T }>();
  return (path) => {
    let remembered = known.get(path);
    if (remembered === undefined) {
      if (known.size >= mostPaths) known.clear();
      remembered = { answer: answer(path) };
      known.set(path, remembered);
    }
    return remembered.answer;
  };
}

/** The container whose own cgroup this is; those below it are not. */
function ownContainer(path: string): string | undefined {
  const place = parseCgroupPath(path);
  return place !== undefined && place.depth === path.split("/").length ? place.containerId : undefined;
}
