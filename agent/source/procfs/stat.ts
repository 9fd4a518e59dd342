// 4242 (nginx: worker) S 4200 4200 4200 0 -1 4194624 180 0 3 0 125 50 0 0 20 0 3 0 183746 73400320 2048 1844674…
import { numberAt } from "./digits.ts";

/** /proc/PID/stat (proc_pid_stat(5)); counters in the kernel's own units. */
export interface Stat {
  readonly pid: number;
  /** Where `comm` begins and ends in the bytes: it can hold any byte but NUL, brackets and line breaks included. */
  readonly commFrom: number;
  readonly commEnd: number;
  /** Character code of the state's letter. */
  readonly state: number;
  readonly parentPid: number;
  readonly flags: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  /** -20 to 19. */
  readonly nice: number;
  readonly threads: number;
  readonly startTicks: number;
  readonly virtualBytes: number;
  readonly residentPages: number;
}

const blank = 32;
/** Fields behind the name, up to rss (field 24); field 3, the state, has index 0. */
const fieldCount = 22;
/** For each line anew: nothing waits between its writing and its reading. */
const fields = new Float64Array(fieldCount);

/** @returns undefined when the bytes are no such line */
export function parseStat(bytes: Uint8Array, length: number): Stat | undefined {
  const pid = numberAt(bytes, 0, length);
  const open = bytes.indexOf(40);
  // The name can hold ") R 1 (": what follows it holds no bracket, so the last one ends it.
  const close = bytes.lastIndexOf(41, length - 1);
  if (!(pid >= 0) || open === -1 || open >= length || close < open || bytes[close + 1] !== blank)
    return undefined;
  let at = close + 4;
  for (let index = 1; index < fieldCount; index++) {
    if (bytes[at - 1] !== blank) return undefined;
    const value = numberAt(bytes, at, length);
    if (Number.isNaN(value)) return undefined;
    fields[index] = value;
    while (at < length && bytes[at] !== blank) at++;
    at++;
  }
  const field = (index: number): number => fields[index] ?? Number.NaN;
  return {
    pid,
    commFrom: open + 1,
    commEnd: close,
    state: bytes[close + 2] ?? 0,
    parentPid: field(1),
    flags: field(6),
    minorFaults: field(7),
    majorFaults: field(9),
    userTicks: field(11),
    systemTicks: field(12),
    nice: field(16),
    threads: field(17),
    startTicks: field(19),
    virtualBytes: field(20),
    residentPages: field(21),
  };
}
