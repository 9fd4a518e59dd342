// Name:   nginx
// Uid:    0       33      0       0
// Gid:    0       33      0       0
// Groups: 4 33
// NSpid:  4242    7
// VmSwap:        0 kB
// voluntary_ctxt_switches:        150
// nonvoluntary_ctxt_switches:     5
import { lineEnd, numberAt, skipBlanks, skipColumn, startsWith } from "./digits.ts";

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

/**
 * Line by line; the kernel escapes a line break in the name, so no name can forge a line. Between the number of threads
 * and the switches, which are the last lines or nearly so, there are masks as long as all the rest: they are passed over.
 */
export function parseStatus(bytes: Uint8Array, length: number): Status {
  let userId = Number.NaN;
  let groupId = Number.NaN;
  let groups: readonly number[] = [];
  let innermostPid = Number.NaN;
  let swapBytes = 0;
  let from = 0;
  let isBeforeMasks = true;
  while (isBeforeMasks && from < length) {
    const end = lineEnd(bytes, from, length);
    switch (bytes[from]) {
      case 85: // U
        if (startsWith(bytes, from, end, "Uid:")) userId = secondAt(bytes, from + 4, end);
        break;
      case 71: // G
        if (startsWith(bytes, from, end, "Gid:")) groupId = secondAt(bytes, from + 4, end);
        else if (startsWith(bytes, from, end, "Groups:")) groups = columnsAt(bytes, from + 7, end);
        break;
      case 78: // N
        if (startsWith(bytes, from, end, "NSpid:")) {
          const pids = columnsAt(bytes, from + 6, end);
          innermostPid = pids.length > 1 ? (pids.at(-1) ?? Number.NaN) : 0;
        }
        break;
      case 86: // V
        if (startsWith(bytes, from, end, swapLabel)) swapBytes = figureAt(bytes, from, end, swapLabel) * 1024;
        break;
      case 84: // T
        isBeforeMasks = !startsWith(bytes, from, end, "Threads:");
        break;
    }
    from = end + 1;
  }
  const switches = parseSwitches(bytes, isBeforeMasks ? 0 : from, length);
  return {
    userId,
    groupId,
    groups,
    innermostPid,
    swapBytes,
    // No spread, which costs as much as the search for them.
    voluntarySwitches: switches.voluntarySwitches,
    involuntarySwitches: switches.involuntarySwitches,
  };
}

const swapLabel = "VmSwap:";
const voluntaryLabel = "voluntary_ctxt_switches:";
const involuntaryLabel = "nonvoluntary_ctxt_switches:";

/** From the end back to `from`, until both are found. */
function parseSwitches(
  bytes: Uint8Array,
  from: number,
  length: number,
): Pick<Status, "voluntarySwitches" | "involuntarySwitches"> {
  let voluntarySwitches = Number.NaN;
  let involuntarySwitches = Number.NaN;
  for (let end = length; end > from && Number.isNaN(voluntarySwitches + involuntarySwitches); ) {
    let start = end;
    while (start > from && bytes[start - 1] !== newline) start--;
    if (startsWith(bytes, start, end, voluntaryLabel))
      voluntarySwitches = figureAt(bytes, start, end, voluntaryLabel);
    else if (startsWith(bytes, start, end, involuntaryLabel))
      involuntarySwitches = figureAt(bytes, start, end, involuntaryLabel);
    end = start - 1;
  }
  return { voluntarySwitches, involuntarySwitches };
}

/** The number behind a line's label. */
function figureAt(bytes: Uint8Array, from: number, end: number, label: string): number {
  return numberAt(bytes, skipBlanks(bytes, from + label.length, end), end);
}

/** The number in the second column; NaN where there is none. */
function secondAt(bytes: Uint8Array, from: number, end: number): number {
  return numberAt(bytes, skipColumn(bytes, skipBlanks(bytes, from, end), end), end);
}

function columnsAt(bytes: Uint8Array, from: number, end: number): readonly number[] {
  const columns: number[] = [];
  let at = skipBlanks(bytes, from, end);
  while (at < end) {
    const value = numberAt(bytes, at, end);
    if (Number.isNaN(value)) break;
    columns.push(value);
    at = skipColumn(bytes, at, end);
  }
  return columns;
}
