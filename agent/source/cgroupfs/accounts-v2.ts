import { parseIoDevices } from "./account-files.ts";
import { type AccountFiles, defined, keyed, noKeys, orZero, single } from "./account-texts.ts";
import type { CgroupAccounts, CgroupLimits, CpuAccount, MemoryAccount } from "./accounting.ts";

/** The one hierarchy of v2 (Documentation/admin-guide/cgroup-v2.rst). */
export function unifiedAccounts(
  files: AccountFiles,
): Omit<CgroupAccounts, "stat" | "lifeOf" | "pressure" | "sweep"> {
  return {
    cpu: (path) => readCpu(files, path),
    memory: (path) => readMemory(files, path),
    devices: (path) => files.parsed(undefined, path, "io.stat", parseIoDevices),
    limits: (path) => readLimits(files, path),
    tasks: (path) => defined(files.parsed(undefined, path, "pids.current", single)),
    oomKills: (path) => defined(files.parsed(undefined, path, "memory.events", keyed)?.("oom_kill")),
  };
}

function readCpu(files: AccountFiles, path: string): CpuAccount | undefined {
  const stat = files.parsed(undefined, path, "cpu.stat", keyed);
  if (stat === undefined) return undefined;
  const used = stat("usage_usec") / 1e6;
  return {
    userSeconds: stat("user_usec") / 1e6,
    systemSeconds: stat("system_usec") / 1e6,
    byCpu: used > 0 ? [["total", used]] : [],
    periods: stat("nr_periods"),
    throttledPeriods: stat("nr_throttled"),
    throttledSeconds: stat("throttled_usec") / 1e6,
    burstPeriods: stat("nr_bursts"),
    burstSeconds: stat("burst_usec") / 1e6,
  };
}

function readMemory(files: AccountFiles, path: string): MemoryAccount | undefined {
  const stat = files.parsed(undefined, path, "memory.stat", keyed);
  if (stat === undefined) return undefined;
  const figure = (name: string): number => files.parsed(undefined, path, name, single) ?? Number.NaN;
  const events = files.parsed(undefined, path, "memory.events", keyed) ?? noKeys;
  const { usageBytes, swapBytes } =
    path === "/"
      ? readHost(files)
      : { usageBytes: figure("memory.current"), swapBytes: figure("memory.swap.current") };
  const inactiveFileBytes = stat("inactive_file");
  return {
    usageBytes,
    maxUsageBytes: figure("memory.peak"),
    workingSetBytes: Math.max(0, usageBytes - inactiveFileBytes),
    cacheBytes: stat("file"),
    residentBytes: stat("anon"),
    kernelBytes: stat("kernel"),
    mappedFileBytes: stat("file_mapped"),
    swapBytes,
    activeFileBytes: stat("active_file"),
    inactiveFileBytes,
    fileDirtyBytes: stat("file_dirty"),
    fileWritebackBytes: stat("file_writeback"),
    failures: events("max"),
    highEvents: events("high"),
    maxEvents: events("max"),
    scannedPages: stat("pgscan"),
    stolenPages: stat("pgsteal"),
    refaultedFilePages: stat("workingset_refault_file"),
    refaultedAnonPages: stat("workingset_refault_anon"),
    faults: stat("pgfault"),
    majorFaults: stat("pgmajfault"),
    allFaults: stat("pgfault"),
    allMajorFaults: stat("pgmajfault"),
  };
}

/** The root cgroup has no file for these. */
function readHost(files: AccountFiles): { usageBytes: number; swapBytes: number } {
  const text = files.proc("meminfo") ?? "";
  const bytes = (key: string): number =>
    Number(new RegExp(`^${key}: +(\\d+) kB$`, "m").exec(text)?.[1] ?? Number.NaN) * 1024;
  return {
    usageBytes: bytes("MemTotal") - bytes("MemFree"),
    swapBytes: bytes("SwapTotal") - bytes("SwapFree"),
  };
}

function readLimits(files: AccountFiles, path: string): CgroupLimits {
  const limit = (name: string): number => orZero(files.textOnce(undefined, path, name));
  const [quota = "", period = ""] = (files.textOnce(undefined, path, "cpu.max") ?? "").trim().split(" ");
  return {
    cpuPeriodMicros: single(period),
    cpuQuotaMicros: single(quota),
    cpuShares: toShares(single(files.textOnce(undefined, path, "cpu.weight"))),
    memoryBytes: limit("memory.max"),
    swapBytes: limit("memory.swap.max"),
    // Engines write what they call a reservation into memory.low.
    reservedBytes: Math.max(limit("memory.min"), limit("memory.low")),
    pids: limit("pids.max"),
  };
}

/** A weight of 1 to 10,000 on v1's scale of 2 to 262,144, as runc puts the one upon the other. */
function toShares(weight: number): number {
  return 2 + Math.floor(((weight - 1) * 262_142) / 9_999);
}
