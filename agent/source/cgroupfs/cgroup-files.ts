// Samples:  cpu.stat (v2)            usage_usec 125000\nuser_usec 90000\nsystem_usec 35000\nnr_throttled 3\nthrottled_usec 7000
//           memory.stat              inactive_file 4096\n…   (v1 also total_inactive_file)
//           io.stat (v2)             8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0
//           blkio.throttle.io_service_bytes_recursive (v1)   8:0 Read 4096\n8:0 Write 0\n…\nTotal 4096
//           cpu.max                  50000 100000   or   max 100000
//           pids.max, memory.max     100            or   max

/** Flat keyed files (cgroup v2 documentation, "Format"): `KEY VALUE` a line. */
export function parseFlatKeyed(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([\w.]+) (\d+)$/.exec(line);
    if (match !== null) values.set(match[1] ?? "", Number(match[2]));
  }
  return values;
}

/** A single number; undefined for `max` and for anything else. */
export function parseSingle(text: string): number | undefined {
  const trimmed = text.trim();
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

/** cpu.max as CPUs; undefined for no limit. */
export function parseCpuMax(text: string): number | undefined {
  const [quota, period] = text.trim().split(" ").map(Number);
  return quota === undefined || period === undefined || !(quota >= 0) || !(period > 0)
    ? undefined
    : quota / period;
}

export interface IoBytes {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** io.stat of v2: the sum over all devices. */
export function parseIoStat(text: string): IoBytes {
  const sum = (key: string): number =>
    [...text.matchAll(new RegExp(`\\b${key}=(\\d+)`, "g"))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    );
  return { readBytes: sum("rbytes"), writtenBytes: sum("wbytes") };
}

/** blkio.*.io_service_bytes* of v1: the sum over all devices. */
export function parseBlkio(text: string): IoBytes {
  const sum = (operation: string): number =>
    [...text.matchAll(new RegExp(`^\\d+:\\d+ ${operation} (\\d+)$`, "gm"))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    );
  return { readBytes: sum("Read"), writtenBytes: sum("Write") };
}
