import { taskSlots, words } from "./process-record.ts";

/** Processes that are remembered; those beyond have their whole record in each pass. */
const mostSeen = 65_536;
/** Records for which one call has room. */
const recordsAtOnce = 768;

const headBytes = 24;
const outputStride = headBytes + taskSlots * 8;
const entryBytes = 24;
const entriesAt = 64;
const outputAt = entriesAt + mostSeen * entryBytes;
const outputBytes = recordsAtOnce * outputStride;

/**
 * The value of a map that the kernel's program and the agent share, as offsets in bytes: first what a call is about, eight bytes
 * each; then an entry for each process that the last pass has shown, in the kernel's order; then the records that a call writes.
 */
export const walkLayout = {
  /** Says which processes have their turn. */
  scanAt: 0,
  /** Number of the pass. */
  passAt: 8,
  /** The first entry that has not been looked at. */
  cursorAt: 16,
  /** The PID behind which the call goes on, 0: from the beginning. The program sets it to 0 when it comes there. */
  afterAt: 24,
  /** Bytes of the output that the call has filled. */
  writtenAt: 32,
  /** 1 when a record had no room. */
  isFullAt: 40,
  /** The entry of the process that is looked at, or `noEntry`. */
  foundAt: 48,
  /** Its seal. */
  sealAt: 56,
  /** Entries: PID, number of the last pass that has shown it (four bytes each); seal, and sum of the last record (eight each). */
  entriesAt,
  entryBytes,
  entryPassAt: 4,
  entrySealAt: 8,
  entrySumAt: 16,
  mostSeen,
  /** Records: the cursor behind it, its entry or `noEntry` (four bytes each), seal, sum (eight each); then what `words` tells of. */
  outputAt,
  outputStride,
  outputBytes,
  headEntryAt: 4,
  headSealAt: 8,
  headSumAt: 16,
  headBytes,
  bytes: outputAt + outputBytes,
} as const;

/** Behind the last entry, in the place of its PID; and for a process that has no entry. */
export const noEntry = 0xffff_ffff;

const wordsOfEntry = entryBytes / 4;
const wordsOfStride = outputStride / 4;
const wordsOfHead = headBytes / 4;
const wordsOfChecks = 4;

/** A seal and a sum: two words each, the lower one first. */
export type Checks = readonly [number, number, number, number];

/** What the agent does with the value. */
export interface WalkMemory {
  /** @param scan its number */
  beginPass(scan: number): void;
  /** @param after the PID behind which the call goes on, 0: from the beginning; @param cursor the one behind that process */
  beginCall(after: number, cursor: number): void;
  /** Whether the call has not come to the process behind which it was to go on. */
  hasMissed(): boolean;
  isFull(): boolean;
  /** Records that the call has written. */
  written(): number;
  /** The words of all records, and where one's begin. */
  readonly output: Int32Array;
  recordAt(index: number): number;
  pidOf(index: number): number;
  cursorOf(index: number): number;
  /** `noEntry` for a process that has none. */
  entryOf(index: number): number;
  /** The seal of a process and the sum of its record, to be given with its entry. */
  checksOf(index: number): Checks;
  /** Whether the pass has shown the process of an entry. */
  isShown(entry: number): boolean;
  /** Sets the entries aside for new ones to be written, in the kernel's order. */
  beginEntries(): void;
  /** The same as `isShown`, of those that were set aside. */
  wasShown(entryBefore: number): boolean;
  /** One with the seal and the sum that were set aside. */
  addKept(pid: number, entryBefore: number): void;
  addNew(pid: number, checks: Checks): void;
  endEntries(): void;
  /** How many processes have an entry. */
  entries(): number;
}

/** @param bytes `walkLayout.bytes` of them, zeros */
export function createWalkMemory(bytes: ArrayBuffer): WalkMemory {
  const head = new Uint32Array(bytes, 0, entriesAt / 4);
  const entries = new Uint32Array(bytes, entriesAt, (mostSeen * entryBytes) / 4);
  const output = new Int32Array(bytes, outputAt, outputBytes / 4);
  const { scanAt, passAt, cursorAt, afterAt, writtenAt, isFullAt, headEntryAt, headSealAt } = walkLayout;
  let aside = new Uint32Array(0);
  let asideCount = 0;
  let count = 0;
  let pass = 0;
  /** @param checks whose words begin at `from` */
  const add = (pid: number, checks: ArrayLike<number>, from: number): void => {
    // The last entry stays free for the end.
    if (count === mostSeen - 1) return;
    const at = count++ * wordsOfEntry;
    entries[at] = pid;
    entries[at + 1] = pass;
    for (let word = 0; word < wordsOfChecks; word++) entries[at + 2 + word] = checks[from + word] ?? 0;
  };
  const endEntries = (): void => {
    entries[count * wordsOfEntry] = noEntry;
  };
  endEntries();
  return {
    beginPass: (scan) => {
      // A number that no entry has.
      pass = (pass + 1) >>> 0;
      head[scanAt / 4] = scan;
      head[passAt / 4] = pass;
    },
    beginCall: (after, cursor) => {
      head[afterAt / 4] = after;
      head[cursorAt / 4] = cursor;
      head[writtenAt / 4] = 0;
      head[isFullAt / 4] = 0;
    },
    hasMissed: () => head[afterAt / 4] !== 0,
    isFull: () => head[isFullAt / 4] !== 0,
    written: () => (head[writtenAt / 4] ?? 0) / outputStride,
    output,
    recordAt: (index) => index * wordsOfStride + wordsOfHead,
    pidOf: (index) => output[index * wordsOfStride + wordsOfHead + words.processId] ?? 0,
    cursorOf: (index) => (output[index * wordsOfStride] ?? 0) >>> 0,
    entryOf: (index) => (output[index * wordsOfStride + headEntryAt / 4] ?? 0) >>> 0,
    checksOf: (index) => {
      const at = index * wordsOfStride + headSealAt / 4;
      return [output[at] ?? 0, output[at + 1] ?? 0, output[at + 2] ?? 0, output[at + 3] ?? 0];
    },
    isShown: (entry) => entries[entry * wordsOfEntry + 1] === pass,
    beginEntries: () => {
      const words = count * wordsOfEntry;
      if (aside.length < words) aside = new Uint32Array(2 * words);
      aside.set(entries.subarray(0, words));
      asideCount = count;
      count = 0;
    },
    wasShown: (entry) => entry < asideCount && aside[entry * wordsOfEntry + 1] === pass,
    addKept: (pid, entryBefore) => add(pid, aside, entryBefore * wordsOfEntry + 2),
    addNew: (pid, checks) => add(pid, checks, 0),
    endEntries,
    entries: () => count,
  };
}
