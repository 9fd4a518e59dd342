// rchar: 323934931
// wchar: 323929600
// syscr: 632687
// syscw: 632675
// read_bytes: 0
// write_bytes: 323932160
// cancelled_write_bytes: 0
import { lineEnd, numberAt, startsWith } from "./digits.ts";

/** /proc/PID/io (proc_pid_io(5)): what really went to and came from the storage layer. */
export interface Io {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** @returns undefined when a line is missing */
export function parseIo(bytes: Uint8Array, length: number): Io | undefined {
  let readBytes = Number.NaN;
  let writtenBytes = Number.NaN;
  for (let from = 0; from < length; ) {
    const end = lineEnd(bytes, from, length);
    if (startsWith(bytes, from, end, "read_bytes: ")) readBytes = numberAt(bytes, from + 12, end);
    else if (startsWith(bytes, from, end, "write_bytes: ")) writtenBytes = numberAt(bytes, from + 13, end);
    from = end + 1;
  }
  return Number.isNaN(readBytes) || Number.isNaN(writtenBytes) ? undefined : { readBytes, writtenBytes };
}
