import type { ContainerResources, CpuSeconds } from "../../api.ts";
import {
  type IoBytes,
  parseBlkio,
  parseCpuMax,
  parseFlatKeyed,
  parseIoStat,
  parseSingle,
} from "./cgroup-files.ts";
import { type CgroupLayout, cgroupFolder, readCgroupFile } from "./layout.ts";

/** v1 says "no limit" by a number near 2^63, rounded down to a page. */
const unlimitedFrom = 2 ** 62;

/** Where a container's cgroup is: the path in the unified hierarchy, and for each controller of v1. */
export interface CgroupPaths {
  readonly unified: string | undefined;
  readonly byController: ReadonlyMap<string, string>;
}

/**
 * A container's own accounting, read now. Fields whose file is not there are null.
 * @returns null when no cgroups are mounted
 */
export function readResources(
  layout: CgroupLayout,
  paths: CgroupPaths,
  ticksPerSecond: number,
): ContainerResources | null {
  switch (layout.version) {
    case "none":
      return null;
    case "v2":
      return readUnified(layout, paths);
    case "v1":
    case "hybrid":
      return readControllers(layout, paths, ticksPerSecond);
  }
}

function readUnified(layout: CgroupLayout, paths: CgroupPaths): ContainerResources {
  const folder = paths.unified === undefined ? undefined : cgroupFolder(layout, undefined, paths.unified);
  const text = (name: string): string | undefined => readCgroupFile(folder, name);
  const cpu = keyed(text("cpu.stat"));
  const memoryBytes = single(text("memory.current"));
  const limit = text("cpu.max");
  return {
    cpuSeconds: both(seconds(cpu("user_usec"), 1e6), seconds(cpu("system_usec"), 1e6)),
    cpuSecondsTotal: seconds(cpu("usage_usec"), 1e6),
    throttledSeconds: seconds(cpu("throttled_usec"), 1e6),
    cpuLimitCores: limit === undefined ? null : (parseCpuMax(limit) ?? null),
    memoryBytes,
    memoryWorkingSetBytes: workingSet(memoryBytes, keyed(text("memory.stat"))("inactive_file")),
    memoryLimitBytes: single(text("memory.max")),
    pids: single(text("pids.current")),
    pidsLimit: single(text("pids.max")),
    ...ioFields(text("io.stat"), parseIoStat),
  };
}

function readControllers(
  layout: CgroupLayout,
  paths: CgroupPaths,
  ticksPerSecond: number,
): ContainerResources {
  const text = (controller: string, name: string): string | undefined => {
    const own = paths.byController.get(controller);
    return own === undefined ? undefined : readCgroupFile(cgroupFolder(layout, controller, own), name);
  };
  const ticks = keyed(text("cpuacct", "cpuacct.stat"));
  const quota = single(text("cpu", "cpu.cfs_quota_us"));
  const period = single(text("cpu", "cpu.cfs_period_us"));
  const memoryBytes = single(text("memory", "memory.usage_in_bytes"));
  const limit = single(text("memory", "memory.limit_in_bytes"));
  return {
    cpuSeconds: both(seconds(ticks("user"), ticksPerSecond), seconds(ticks("system"), ticksPerSecond)),
    cpuSecondsTotal: seconds(single(text("cpuacct", "cpuacct.usage")) ?? undefined, 1e9),
    throttledSeconds: seconds(keyed(text("cpu", "cpu.stat"))("throttled_time"), 1e9),
    cpuLimitCores: quota === null || period === null ? null : quota / period,
    memoryBytes,
    memoryWorkingSetBytes: workingSet(
      memoryBytes,
      keyed(text("memory", "memory.stat"))("total_inactive_file"),
    ),
    memoryLimitBytes: limit === null || limit >= unlimitedFrom ? null : limit,
    pids: single(text("pids", "pids.current")),
    pidsLimit: single(text("pids", "pids.max")),
    // The throttle files count all block I/O; the others only what the (now rare) CFQ scheduler passed on.
    ...ioFields(
      text("blkio", "blkio.throttle.io_service_bytes_recursive") ??
        text("blkio", "blkio.throttle.io_service_bytes"),
      parseBlkio,
    ),
  };
}

function keyed(text: string | undefined): (key: string) => number | undefined {
  const values = text === undefined ? undefined : parseFlatKeyed(text);
  return (key) => values?.get(key);
}

function single(text: string | undefined): number | null {
  return text === undefined ? null : (parseSingle(text) ?? null);
}

function seconds(figure: number | undefined, unitsPerSecond: number): number | null {
  return figure === undefined ? null : figure / unitsPerSecond;
}

function both(user: number | null, system: number | null): CpuSeconds | null {
  return user === null || system === null ? null : { user, system };
}

function workingSet(used: number | null, inactive: number | undefined): number | null {
  return used === null || inactive === undefined ? null : Math.max(0, used - inactive);
}

function ioFields(text: string | undefined, parse: (text: string) => IoBytes) {
  const bytes = text === undefined ? undefined : parse(text);
  return { readBytes: bytes?.readBytes ?? null, writtenBytes: bytes?.writtenBytes ?? null };
}
