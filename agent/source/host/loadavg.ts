// 0.20 0.18 0.12 1/80 11206

/** Processes that run or wait for a disk, on average over one, five and fifteen minutes (proc_loadavg(5)). */
export function parseLoadavg(text: string): readonly [number, number, number] | undefined {
  const [, one, five, fifteen] = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+) /.exec(text) ?? [];
  return one === undefined ? undefined : [Number(one), Number(five), Number(fifteen)];
}
