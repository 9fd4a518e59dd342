// Name:   nginx
// Uid:    0       33      0       0
// Gid:    0       33      0       0
// Groups: 4 33
// NSpid:  4242    7
// VmSwap:        0 kB
// voluntary_ctxt_switches:        150
// nonvoluntary_ctxt_switches:     5
import { numberAt, skipBlanks, startsWith } from "./digits.ts";

/** /proc/PID/status (proc_pid_status(5)); NaN for a line that is not there. */
export interface Status {
  /** Effective ids, as the reader's user namespace numbers them. */
  readonly userId: number;
  readonly groupId: number;
  readonly groups: readonly number[];
  /** PID in the innermost PID namespace; 0 when it has no other than the reader's. */
  readonly innermostPid: number;
  /** Kernel threads and zombies have no memory and so no such line: 0. */
  readonly swapBytes: number;
  /** Of the main thread only: the kernel does not sum the threads here. */
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
}

const newline = 10;

/** Line by line; the kernel escapes a line break in the name, so no name can forge a line. */
export function parseStatus(bytes: Uint8Array, length: number): Status {
  let userId = Number.NaN;
  let groupId = Number.NaN;
  let groups: readonly number[] = [];
  let innermostPid = Number.NaN;
  let swapBytes = 0;
  let voluntarySwitches = Number.NaN;
  let involuntarySwitches = Number.NaN;
  for (let from = 0; from < length; ) {
    let end = bytes.indexOf(newline, from);
    if (end === -1 || end > length) end = length;
    const value = (label: string): number =>
      numberAt(bytes, skipBlanks(bytes, from + label.length, end), end);
    switch (bytes[from]) {
      case 85: // U
        if (startsWith(bytes, from, end, "Uid:")) userId = columnsAt(bytes, from + 4, end)[1] ?? Number.NaN;
        break;
      case 71: // G
        if (startsWith(bytes, from, end, "Gid:")) groupId = columnsAt(bytes, from + 4, end)[1] ?? Number.NaN;
        else if (startsWith(bytes, from, end, "Groups:")) groups = columnsAt(bytes, from + 7, end);
        break;
      case 78: // N
        if (startsWith(bytes, from, end, "NSpid:")) {
          const pids = columnsAt(bytes, from + 6, end);
          innermostPid = pids.length > 1 ? (pids.at(-1) ?? Number.NaN) : 0;
        }
        break;
      case 86: // V
        if (startsWith(bytes, from, end, "VmSwap:")) swapBytes = value("VmSwap:") * 1024;
        break;
      case 118: // v
        if (startsWith(bytes, from, end, "voluntary_ctxt_switches:")) {
          voluntarySwitches = value("voluntary_ctxt_switches:");
        }
        break;
      case 110: // n
        if (startsWith(bytes, from, end, "nonvoluntary_ctxt_switches:")) {
          involuntarySwitches = value("nonvoluntary_ctxt_switches:");
        }
        break;
    }
    from = end + 1;
  }
  return { userId, groupId, groups, innermostPid, swapBytes, voluntarySwitches, involuntarySwitches };
}

function columnsAt(bytes: Uint8Array, from: number, end: number): readonly number[] {
  const columns: number[] = [];
  let at = skipBlanks(bytes, from, end);
  while (at < end) {
    const value = numberAt(bytes, at, end);
    if (Number.isNaN(value)) break;
    columns.push(value);
    while (at < end && bytes[at] !== 32 && bytes[at] !== 9) at++;
    at = skipBlanks(bytes, at, end);
  }
  return columns;
}
