import type { Snapshot } from "../../../model.ts";
import type { Family } from "../../families.ts";
import type { Collector } from "../../samples.ts";
import { type CgroupFamily, figure, sampleAll } from "./cgroup-family.ts";
import type { CgroupSubject, CgroupSubjects } from "./cgroup-subjects.ts";

export interface SpecParts {
  /** Seconds since the epoch. */
  readonly bootSeconds: number;
  readonly memory: () => { readonly memoryBytes: number; readonly swapBytes: number };
}

const scrapeError: Family = {
  name: "container_scrape_error",
  type: "gauge",
  help: "1 if there was an error while getting container metrics, 0 otherwise",
  labels: [],
};

/** 1 healthy, 0 not (yet), -1 without a health check. */
function healthOf({ container }: CgroupSubject): number | undefined {
  if (container === undefined) return undefined;
  if (container.health === null) return -1;
  return container.health === "healthy" ? 1 : 0;
}

const cpuFamilies: readonly CgroupFamily[] = [
  figure(
    "container_spec_cpu_period",
    "gauge",
    "CPU period of the container.",
    ({ limits }) => limits?.cpuPeriodMicros,
  ),
  figure(
    "container_spec_cpu_quota",
    "gauge",
    "CPU quota of the container.",
    ({ limits }) => limits?.cpuQuotaMicros,
  ),
  figure(
    "container_spec_cpu_shares",
    "gauge",
    "CPU share of the container.",
    ({ limits }) => limits?.cpuShares,
  ),
];

function memoryFamilies({ memory }: SpecParts): readonly CgroupFamily[] {
  const { memoryBytes, swapBytes } = memory();
  const limit = (
    name: string,
    help: string,
    read: (limits: NonNullable<CgroupSubject["limits"]>) => number,
    host: number,
  ): CgroupFamily =>
    figure(name, "gauge", help, ({ path, limits }) => {
      if (path === "/") return host;
      return limits === undefined ? undefined : read(limits);
    });
  return [
    limit(
      "container_spec_memory_limit_bytes",
      "Memory limit for the container.",
      (limits) => limits.memoryBytes,
      memoryBytes,
    ),
    limit(
      "container_spec_memory_swap_limit_bytes",
      "Memory swap limit for the container.",
      (limits) => limits.swapBytes,
      swapBytes,
    ),
    limit(
      "container_spec_memory_reservation_limit_bytes",
      "Memory reservation limit for the container.",
      (limits) => limits.reservedBytes,
      0,
    ),
  ];
}

function timeFamilies({ bootSeconds }: SpecParts, { takenAt }: Snapshot): readonly CgroupFamily[] {
  const created = ({ path, container, createdMs }: CgroupSubject): number =>
    path === "/" ? Math.floor(bootSeconds) : Math.floor((container?.createdAt ?? createdMs) / 1000);
  return [
    figure("container_last_seen", "gauge", "Last time a container was seen by the exporter", () =>
      Math.floor(takenAt / 1000),
    ),
    figure(
      "container_creation_time_seconds",
      "gauge",
      "Creation time of the container since unix epoch in seconds.",
      created,
    ),
    figure(
      "container_start_time_seconds",
      "gauge",
      "Start time of the container since unix epoch in seconds.",
      (subject) =>
        subject.container?.startedAt == null
          ? created(subject)
          : Math.floor(subject.container.startedAt / 1000),
    ),
    figure("container_health_state", "gauge", "The result of the container's health check", healthOf),
  ];
}

/** What a container is and may use. */
export function createSpecCollector(subjects: CgroupSubjects, parts: SpecParts): Collector {
  return {
    group: "container",
    name: "spec",
    collect: async (snapshot) => {
      const failed = { family: scrapeError, samples: [{ labels: "", value: 1 }] };
      // The collectors of what could not be read tell of it by themselves.
      const all = await subjects.of(snapshot).catch(() => undefined);
      if (all === undefined) return [failed];
      return [
        ...sampleAll([...timeFamilies(parts, snapshot), ...cpuFamilies, ...memoryFamilies(parts)], all),
        { family: scrapeError, samples: [{ labels: "", value: 0 }] },
      ];
    },
  };
}
