import { parseBlkioOperations, parsePerCpu, toBlkioDevices } from "./account-files.ts";
import { type AccountFiles, defined, keyed, noKeys, orZero, single } from "./account-texts.ts";
import type { CgroupAccounts, CgroupLimits, CpuAccount, MemoryAccount } from "./accounting.ts";

/** No limit is a number near 2^63, rounded down to a page. */
const unlimitedFrom = 2 ** 62;

/** The controllers of v1, each with a hierarchy of its own (Documentation/admin-guide/cgroup-v1). */
export function controllerAccounts(
  files: AccountFiles,
  ticksPerSecond: number,
): Omit<CgroupAccounts, "stat" | "lifeOf" | "pressure" | "sweep"> {
  return {
    cpu: (path) => readCpu(files, path, ticksPerSecond),
    memory: (path) => readMemory(files, path),
    devices: (path) => {
      // The throttle files count all block I/O; the others only what the (now rare) CFQ scheduler passed on.
      const operations = (name: string) => files.parsed("blkio", path, name, parseBlkioOperations);
      const bytes = operations("blkio.throttle.io_service_bytes_recursive");
      if (bytes === undefined) return undefined;
      return toBlkioDevices(bytes, operations("blkio.throttle.io_serviced_recursive") ?? new Map());
    },
    limits: (path) => readLimits(files, path),
    tasks: (path) => defined(files.parsed("pids", path, "pids.current", single)),
    oomKills: (path) => defined(files.parsed("memory", path, "memory.oom_control", keyed)?.("oom_kill")),
  };
}

function readCpu(files: AccountFiles, path: string, ticksPerSecond: number): CpuAccount | undefined {
  const byCpu = files.parsed("cpuacct", path, "cpuacct.usage_percpu", toSecondsByCpu);
  if (byCpu === undefined) return undefined;
  const ticks = files.parsed("cpuacct", path, "cpuacct.stat", keyed) ?? noKeys;
  const scheduled = files.parsed("cpu", path, "cpu.stat", keyed) ?? noKeys;
  return {
    userSeconds: ticks("user") / ticksPerSecond,
    systemSeconds: ticks("system") / ticksPerSecond,
    byCpu,
    periods: scheduled("nr_periods"),
    throttledPeriods: scheduled("nr_throttled"),
    throttledSeconds: scheduled("throttled_time") / 1e9,
    burstPeriods: scheduled("nr_bursts"),
    burstSeconds: scheduled("burst_time") / 1e9,
  };
}

function toSecondsByCpu(text: string): CpuAccount["byCpu"] {
  return parsePerCpu(text).flatMap((nanos, cpu) =>
    nanos > 0 ? [[`cpu${String(cpu).padStart(2, "0")}`, nanos / 1e9] as const] : [],
  );
}

function readMemory(files: AccountFiles, path: string): MemoryAccount | undefined {
  const stat = files.parsed("memory", path, "memory.stat", keyed);
  if (stat === undefined) return undefined;
  const figure = (name: string): number => files.parsed("memory", path, name, single) ?? Number.NaN;
  const usageBytes = figure("memory.usage_in_bytes");
  const inactiveFileBytes = stat("total_inactive_file");
  return {
    usageBytes,
    maxUsageBytes: figure("memory.max_usage_in_bytes"),
    workingSetBytes: Math.max(0, usageBytes - inactiveFileBytes),
    cacheBytes: stat("total_cache"),
    residentBytes: stat("total_rss"),
    kernelBytes: figure("memory.kmem.usage_in_bytes"),
    mappedFileBytes: stat("total_mapped_file"),
    swapBytes: stat("total_swap"),
    activeFileBytes: stat("total_active_file"),
    inactiveFileBytes,
    fileDirtyBytes: stat("total_dirty"),
    fileWritebackBytes: stat("total_writeback"),
    failures: figure("memory.failcnt"),
    highEvents: Number.NaN,
    maxEvents: Number.NaN,
    scannedPages: Number.NaN,
    stolenPages: Number.NaN,
    refaultedFilePages: stat("total_workingset_refault_file"),
    refaultedAnonPages: stat("total_workingset_refault_anon"),
    faults: stat("pgfault"),
    majorFaults: stat("pgmajfault"),
    allFaults: stat("total_pgfault"),
    allMajorFaults: stat("total_pgmajfault"),
  };
}

function readLimits(files: AccountFiles, path: string): CgroupLimits {
  const limit = (name: string): number => {
    const figure = single(files.textOnce("memory", path, name));
    return figure >= unlimitedFrom ? 0 : figure;
  };
  return {
    cpuPeriodMicros: single(files.textOnce("cpu", path, "cpu.cfs_period_us")),
    // -1 says "none", and is no whole number here.
    cpuQuotaMicros: single(files.textOnce("cpu", path, "cpu.cfs_quota_us")),
    cpuShares: single(files.textOnce("cpu", path, "cpu.shares")),
    memoryBytes: limit("memory.limit_in_bytes"),
    swapBytes: limit("memory.memsw.limit_in_bytes"),
    reservedBytes: limit("memory.soft_limit_in_bytes"),
    pids: orZero(files.textOnce("pids", path, "pids.max")),
  };
}
