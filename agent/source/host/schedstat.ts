// version 15
// cpu0 0 0 0 0 0 0 2045936778163039 343796328169361 4767485306
// domain0 00000000,00000003 212499247 210112015 1861015

/** What a CPU's run queue has had (kernel documentation, scheduler/sched-stats). */
export interface CpuSchedule {
  readonly cpu: string;
  readonly runningNanoseconds: number;
  readonly waitingNanoseconds: number;
  readonly timeslices: number;
}

export function parseSchedstat(text: string): readonly CpuSchedule[] {
  return [...text.matchAll(/^cpu(\d+)(?: \d+){6} (\d+) (\d+) (\d+)$/gm)].map(
    ([, cpu = "", running, waiting, timeslices]) => ({
      cpu,
      runningNanoseconds: Number(running),
      waitingNanoseconds: Number(waiting),
      timeslices: Number(timeslices),
    }),
  );
}
