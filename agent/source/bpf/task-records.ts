import { uncounted, words } from "./process-record.ts";
import type { RecordPool } from "./record-pool.ts";

const twoTo32 = 2 ** 32;
const commBytes = 16;

/** Processes that a pass has shown: columns, of which the first `count` hold. */
export interface ShownProcesses {
  count(): number;
  /** They ascend. */
  readonly pids: Int32Array;
  /** The first word of each one's record in the pool. */
  readonly places: Int32Array;
  /**
   * 1 where the process has the record of the pass before, to the last bit. Never for one whose threads were too many: its record
   * tells nothing of them.
   */
  readonly same: Uint8Array;
}

/** What the kernel has written: the latest record of each process that the last pass has shown. */
export interface TaskRecords extends ShownProcesses {
  /** First word of a process's record, for `words` to be added to. */
  at(index: number): number;
  /** The figure at a word, as an unsigned number; beyond 2^53 the last bits are lost. */
  figure(word: number): number;
  /** The same for counters that can be below zero for a moment, which is then 0. */
  positive(word: number): number;
  /** NaN where the table was too large to be counted in the kernel. */
  openFiles(record: number): number;
  /** False where the threads were too many for the kernel program: the figures are those of no thread. */
  isSummed(record: number): boolean;
  /** The bytes that hold `comm` at this position. */
  readonly bytes: Buffer;
  commFrom(record: number): number;
}

export function readRecords(pool: RecordPool, shown: ShownProcesses): TaskRecords {
  // A number, not a BigInt: making BigInt objects costs ten times the scan.
  const figure = (word: number): number => (pool.words[word] ?? 0) + (pool.words[word + 1] ?? 0) * twoTo32;
  return {
    count: shown.count,
    get pids() {
      return shown.pids;
    },
    get places() {
      return shown.places;
    },
    get same() {
      return shown.same;
    },
    at: (index) => shown.places[index] ?? 0,
    figure,
    positive: (word) => ((pool.words[word + 1] ?? 0) >= twoTo32 / 2 ? 0 : figure(word)),
    openFiles: (record) => {
      const count = pool.words[record + words.openFiles] ?? 0;
      return count === uncounted ? Number.NaN : count;
    },
    isSummed: (record) => isSummed(pool, record),
    get bytes() {
      return pool.bytes;
    },
    commFrom: (record) => (record + words.nameFrom) * 4,
  };
}

export function isSummed(pool: RecordPool, record: number): boolean {
  return pool.words[record + words.unsummed] === 0;
}

/** @returns the larger array, with what the known one holds */
export function enlarge<T extends Uint8Array | Int32Array>(known: T, larger: T): T {
  larger.set(known);
  return larger;
}

/** Where `comm` ends: it is filled with NUL to sixteen bytes. */
export function commEnd(bytes: Buffer, from: number): number {
  // A loop: a call of Buffer.indexOf costs more than these few bytes.
  let end = from;
  while (end < from + commBytes && bytes[end] !== 0) end++;
  return end;
}
