/** What a cgroup has used and may use, in the units of the metrics. NaN: the kernel does not tell, or no limit. */
export interface CpuAccount {
  readonly userSeconds: number;
  readonly systemSeconds: number;
  /** `cpu00`, `cpu01`, … on v1, `total` on v2; those that were never used are left out. */
  readonly byCpu: readonly (readonly [string, number])[];
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledSeconds: number;
  readonly burstPeriods: number;
  readonly burstSeconds: number;
}

export interface MemoryAccount {
  readonly usageBytes: number;
  readonly maxUsageBytes: number;
  readonly workingSetBytes: number;
  readonly cacheBytes: number;
  readonly residentBytes: number;
  readonly kernelBytes: number;
  readonly mappedFileBytes: number;
  readonly swapBytes: number;
  readonly activeFileBytes: number;
  readonly inactiveFileBytes: number;
  readonly fileDirtyBytes: number;
  readonly fileWritebackBytes: number;
  /** How often the limit was hit. */
  readonly failures: number;
  readonly highEvents: number;
  readonly maxEvents: number;
  readonly scannedPages: number;
  readonly stolenPages: number;
  readonly refaultedFilePages: number;
  readonly refaultedAnonPages: number;
  readonly faults: number;
  readonly majorFaults: number;
  /** With those of the cgroups below. */
  readonly allFaults: number;
  readonly allMajorFaults: number;
}

/** One block device's share. */
export interface DeviceAccount {
  /** `8:0` */
  readonly device: string;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
  /** Bytes by the kernel's word for the operation: `Read`, `Write`, `Discard`; v1 also `Sync`, `Async`, `Total`. */
  readonly bytesByOperation: ReadonlyMap<string, number>;
  /** Microseconds by `usage`, `wait`, `indebt`, `indelay`, where the iocost controller is on. */
  readonly cost: ReadonlyMap<string, number>;
}

export interface CgroupLimits {
  readonly cpuPeriodMicros: number;
  readonly cpuQuotaMicros: number;
  readonly cpuShares: number;
  /** 0: no limit. */
  readonly memoryBytes: number;
  readonly swapBytes: number;
  readonly reservedBytes: number;
  readonly pids: number;
}

/** Time in which some, or all, of the tasks had to wait (Documentation/accounting/psi.rst). */
export interface PressureAccount {
  readonly someSeconds: number;
  readonly fullSeconds: number;
}

export const pressureResources = ["cpu", "memory", "io"] as const;
export type PressureResource = (typeof pressureResources)[number];

/** Reads one cgroup, now. Each gives undefined where it has no such files: not this controller, or it is gone. */
export interface CgroupAccounts {
  /** Milliseconds since the epoch at which its folder was last changed, and its inode; undefined: it is gone. */
  stat(path: string): { readonly changedMs: number; readonly inode: number } | undefined;
  /** Stays while it is the same cgroup: then its stat need not be read. Undefined where that cannot be told. */
  lifeOf(path: string): number | undefined;
  cpu(path: string): CpuAccount | undefined;
  memory(path: string): MemoryAccount | undefined;
  devices(path: string): readonly DeviceAccount[] | undefined;
  limits(path: string): CgroupLimits | undefined;
  /** Tasks, those below included. */
  tasks(path: string): number | undefined;
  oomKills(path: string): number | undefined;
  pressure(path: string, resource: PressureResource): PressureAccount | undefined;
  /** Ends a round over all cgroups: what is kept of those that it has not read is given up. */
  sweep(): void;
}
