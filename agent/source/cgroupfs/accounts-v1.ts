import { parseBlkioDevices, parsePerCpu } from "./account-files.ts";
import { type AccountFiles, defined, keyed, orZero, single } from "./account-texts.ts";
import type { CgroupAccounts, CgroupLimits, CpuAccount, MemoryAccount } from "./accounting.ts";

/** No limit is a number near 2^63, rounded down to a page. */
const unlimitedFrom = 2 ** 62;

/** The controllers of v1, each with a hierarchy of its own (Documentation/admin-guide/cgroup-v1). */
export function controllerAccounts(
  files: AccountFiles,
  ticksPerSecond: number,
): Omit<CgroupAccounts, "stat" | "pressure" | "sweep"> {
  return {
    cpu: (path) => readCpu(files, path, ticksPerSecond),
    memory: (path) => readMemory(files, path),
    devices: (path) => {
      // The throttle files count all block I/O; the others only what the (now rare) CFQ scheduler passed on.
      const bytes = files.text("blkio", path, "blkio.throttle.io_service_bytes_recursive");
      if (bytes === undefined) return undefined;
      return parseBlkioDevices(
        bytes,
        files.text("blkio", path, "blkio.throttle.io_serviced_recursive") ?? "",
      );
    },
    limits: (path) => readLimits(files, path),
    tasks: (path) => defined(single(files.text("pids", path, "pids.current"))),
    oomKills: (path) => defined(keyed(files.text("memory", path, "memory.oom_control"))("oom_kill")),
  };
}

function readCpu(files: AccountFiles, path: string, ticksPerSecond: number): CpuAccount | undefined {
  const perCpu = files.text("cpuacct", path, "cpuacct.usage_percpu");
  if (perCpu === undefined) return undefined;
  const ticks = keyed(files.text("cpuacct", path, "cpuacct.stat"));
  const scheduled = keyed(files.text("cpu", path, "cpu.stat"));
  return {
    userSeconds: ticks("user") / ticksPerSecond,
    systemSeconds: ticks("system") / ticksPerSecond,
    byCpu: parsePerCpu(perCpu).flatMap((nanos, cpu) =>
      nanos > 0 ? [[`cpu${String(cpu).padStart(2, "0")}`, nanos / 1e9] as const] : [],
    ),
    periods: scheduled("nr_periods"),
    throttledPeriods: scheduled("nr_throttled"),
    throttledSeconds: scheduled("throttled_time") / 1e9,
    burstPeriods: scheduled("nr_bursts"),
    burstSeconds: scheduled("burst_time") / 1e9,
  };
}

function readMemory(files: AccountFiles, path: string): MemoryAccount | undefined {
  const text = files.text("memory", path, "memory.stat");
  if (text === undefined) return undefined;
  const stat = keyed(text);
  const figure = (name: string): number => single(files.text("memory", path, name));
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
