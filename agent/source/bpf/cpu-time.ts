/**
 * The part of the exact run time that was the system's, by the ratio of the sampled user and system time, as cputime_adjust()
 * of kernel/sched/cputime.c has it for /proc/PID/stat; the rest is the user's.
 * @param runNs what the scheduler counted; @param userNs, systemNs what the ticks counted
 * @returns nanoseconds
 */
export function systemShare(runNs: number, userNs: number, systemNs: number): number {
  if (systemNs === 0) return 0;
  if (userNs === 0) return runNs;
  return (runNs * systemNs) / (systemNs + userNs);
}
