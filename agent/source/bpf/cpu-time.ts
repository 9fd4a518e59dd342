/** CPU time of a process as /proc tells it. */
export interface CpuSplit {
  readonly userSeconds: number;
  readonly systemSeconds: number;
}

/**
 * Splits the exact run time by the ratio of the sampled user and system time, as cputime_adjust() of
 * kernel/sched/cputime.c does for /proc/PID/stat.
 * @param runNs what the scheduler counted; @param userNs, systemNs what the ticks counted
 */
export function splitCpuTime(runNs: number, userNs: number, systemNs: number): CpuSplit {
  const run = runNs / 1e9;
  if (systemNs === 0) return { userSeconds: run, systemSeconds: 0 };
  if (userNs === 0) return { userSeconds: 0, systemSeconds: run };
  const systemSeconds = (run * systemNs) / (systemNs + userNs);
  return { userSeconds: run - systemSeconds, systemSeconds };
}
