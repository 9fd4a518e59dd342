import type { KernelUnits } from "../../../model.ts";
import { createAccounts } from "../../../source/cgroupfs/account-reader.ts";
import { createCgroupTree } from "../../../source/cgroupfs/cgroup-tree.ts";
import type { CgroupLayout } from "../../../source/cgroupfs/layout.ts";
import type { SpaceReader } from "../../../source/host/space-reader.ts";
import { readMachineFacts } from "../../../source/machine/machine-facts.ts";
import { createHeld } from "../../held.ts";
import type { Collector } from "../../samples.ts";
import { createCgroupBound } from "./cgroup-bound.ts";
import { tableCollector } from "./cgroup-family.ts";
import { createCgroupSubjects } from "./cgroup-subjects.ts";
import { cpuFamilies } from "./cpu.ts";
import { createDiskIoCollector } from "./diskio.ts";
import { createFsCollector } from "./fs.ts";
import { createLayerSizes, type MeasureLayer } from "./layer-sizes.ts";
import { createLoadCollector } from "./load.ts";
import { createMachineCollector } from "./machine.ts";
import { memoryFamilies } from "./memory.ts";
import { createNetworkCollector } from "./network.ts";
import { oomFamilies } from "./oom.ts";
import { pressureFamilies } from "./pressure.ts";
import { createProcessCollector } from "./process.ts";
import { createSocketCollector } from "./sockets.ts";
import { createSpecCollector } from "./spec.ts";

export interface CadvisorParts {
  readonly layout: CgroupLayout;
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly rootfs: string;
  readonly units: KernelUnits;
  readonly version: string;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
  /** By a collector's name: only what one of these shows is read. */
  readonly isOn: (collector: string) => boolean;
  /** The id of the container whose own cgroup a path is. */
  readonly ownContainer: (path: string) => string | undefined;
  readonly isLabelWanted: (label: string) => boolean;
  readonly engineVersion: () => string;
  /** Series that the families may have. */
  readonly mostSeries: () => number;
  /** Is told how many cgroups are left out for that. */
  readonly onLeftOut: (count: number) => void;
  readonly space: SpaceReader;
  readonly measureLayer: MeasureLayer;
  readonly onLayerFailure: (error: unknown) => void;
}

/** What a machine is made of changes by hand only. */
const factsHoldMs = 60_000;

/** The families of cAdvisor, part by part, over one reading of the cgroups. */
export function createCadvisorCollectors(parts: CadvisorParts): readonly Collector[] {
  const { layout, procRoot, sysRoot, rootfs, units, monotonicMs, ownContainer } = parts;
  const bound = createCgroupBound(parts.mostSeries, parts.onLeftOut);
  const subjects = createCgroupSubjects({
    ...parts,
    accounts: createAccounts({ layout, procRoot, ticksPerSecond: units.ticksPerSecond }),
    tree: createCgroupTree({
      layout,
      isContainer: (path) => ownContainer(path) !== undefined,
      monotonicMs,
    }),
    isUnified: layout.version === "v2",
    choose: bound.choose,
  });
  const facts = createHeld(() => readMachineFacts({ procRoot, sysRoot, rootfs }), factsHoldMs, monotonicMs);
  const { engineVersion, measureLayer, onLayerFailure, version } = parts;
  const collectors = [
    createSpecCollector(subjects, { bootSeconds: units.bootSeconds, memory: facts }),
    tableCollector("cpu", cpuFamilies, subjects),
    tableCollector("memory", memoryFamilies, subjects),
    createDiskIoCollector(subjects, { procRoot, sysRoot }),
    createFsCollector(subjects, {
      procRoot,
      rootfs,
      space: parts.space,
      layers: createLayerSizes(measureLayer, monotonicMs, onLayerFailure),
    }),
    createNetworkCollector(subjects, { procRoot, monotonicMs }),
    createProcessCollector(subjects),
    createSocketCollector(subjects, { procRoot, monotonicMs }),
    tableCollector("pressure", pressureFamilies, subjects),
    tableCollector("oom", oomFamilies, subjects),
    createLoadCollector(subjects),
  ];
  return [...collectors.map(bound.counted), createMachineCollector({ facts, version, engineVersion })];
}
