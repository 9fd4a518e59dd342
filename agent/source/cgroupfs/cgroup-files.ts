// Samples:  cpu.stat (v2)            usage_usec 125000\nuser_usec 90000\nsystem_usec 35000\nnr_throttled 3\nthrottled_usec 7000
//           memory.stat              inactive_file 4096\n…   (v1 also total_inactive_file)
//           io.stat (v2)             8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0
//           blkio.throttle.io_service_bytes_recursive (v1)   8:0 Read 4096\n8:0 Write 0\n…\nTotal 4096
//           cpu.max                  50000 100000   or   max 100000
//           pids.max, memory.max     100            or   max

/** Flat keyed files (cgroup v2 documentation, "Format"): `KEY VALUE` a line; other lines are passed over. */
export function parseFlatKeyed(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (let from = 0; from < text.length; ) {
    const newline = text.indexOf("\n", from);
    const end = newline === -1 ? text.length : newline;
    const blank = text.indexOf(" ", from);
    if (blank !== -1 && blank < end) {
      const key = text.slice(from, blank);
      const value = wholeNumber(text, blank + 1, end);
      if (!Number.isNaN(value) && /^[\w.]+$/.test(key)) values.set(key, value);
    }
    from = end + 1;
  }
  return values;
}

const zero = "0".charCodeAt(0);
/** So many digits are exact, whatever they are. */
const exactDigits = 15;

/** The number whose digits these are, NaN for anything else. There are thousands of them, so it makes no objects. */
function wholeNumber(text: string, from: number, end: number): number {
  let value = from === end ? Number.NaN : 0;
  for (let at = from; at < end; at++) {
    const digit = text.charCodeAt(at) - zero;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return end - from > exactDigits ? Number(text.slice(from, end)) : value;
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
