// 55d0c0a00000-7ffd3b5f2000 ---p 00000000 00:00 0                          [rollup]
// Rss:                1680 kB
// Pss:                 173 kB
// SwapPss:               0 kB

/** /proc/PID/smaps_rollup (proc_pid_smaps(5)): pages divided by the number of processes that share them. */
export interface SmapsRollup {
  readonly residentBytes: number;
  readonly swappedBytes: number;
}

/** @returns undefined when the text has no such line: that of a thread of the kernel is empty */
export function parseSmapsRollup(text: string): SmapsRollup | undefined {
  const kilobytes = (label: string): number | undefined => {
    const found = new RegExp(`^${label}: +(\\d{1,15}) kB$`, "m").exec(text)?.[1];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const residentBytes = kilobytes("Pss");
  return residentBytes === undefined ? undefined : { residentBytes, swappedBytes: kilobytes("SwapPss") ?? 0 };
}
