import {
  openFilesSlot,
  processFields,
  processSlots,
  threadFields,
  threadSlots,
  uncounted,
} from "./task-iterator.ts";

type AnyField = keyof typeof threadFields | keyof typeof processFields;

/** Where each field is, in words of four bytes from the beginning of a record. */
export const words: Readonly<Record<AnyField, number>> = Object.fromEntries(
  [...Object.keys(threadFields), ...Object.keys(processFields)].map((name, slot) => [name, slot * 2]),
) as Record<AnyField, number>;

const openFilesWord = openFilesSlot * 2;
const twoTo32 = 2 ** 32;

/** What the kernel wrote in one pass: records of threads, one after the other, those of processes longer. */
export interface TaskRecords {
  /** Bytes for the next read from the iterator; at least 32 KiB, which is the most that it gives at once. */
  room(): Buffer;
  /** Takes in what was read into the room. */
  took(bytes: number): void;
  /** Begins a new pass. */
  clear(): void;
  /** First words of all records of processes. @throws RangeError when the bytes end in the middle of a record */
  processes(): readonly number[];
  /** The sums over the other threads of a process, by thread-group id. */
  readonly threads: ReadonlyMap<number, ThreadSums>;
  /** The figure at a word, as an unsigned number; beyond 2^53 the last bits are lost. */
  figure(word: number): number;
  /** The same for counts that can be below zero for a moment, which is then 0. */
  count(word: number): number;
  /** NaN where the table was too large to be counted in the kernel. */
  openFiles(record: number): number;
  /** The bytes that hold `comm` at this position. */
  readonly bytes: Buffer;
  commFrom(record: number): number;
}

/** What the live threads besides the first used. */
export interface ThreadSums {
  readonly userTime: number;
  readonly systemTime: number;
  readonly runTime: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

const summed = [
  "userTime",
  "systemTime",
  "runTime",
  "minorFaults",
  "majorFaults",
  "voluntarySwitches",
  "involuntarySwitches",
  "readBytes",
  "writtenBytes",
] as const satisfies readonly (keyof ThreadSums)[];

const readBytes = 64 * 1024;
const commBytes = 16;

export function createTaskRecords(): TaskRecords {
  let bytes = Buffer.alloc(4 * readBytes);
  let content = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let length = 0;
  const threads = new Map<number, ThreadSums>();
  // A number, not a BigInt: making BigInt objects costs ten times the scan.
  const figure = (word: number): number => (content[word] ?? 0) + (content[word + 1] ?? 0) * twoTo32;
  const addThread = (record: number): void => {
    const id = figure(record + words.processId);
    const known = threads.get(id);
    const sums: Partial<Record<keyof ThreadSums, number>> = {};
    for (const field of summed) sums[field] = (known?.[field] ?? 0) + figure(record + words[field]);
    threads.set(id, sums as ThreadSums);
  };
  return {
    room: () => {
      if (bytes.length - length < readBytes) {
        bytes = Buffer.concat([bytes], bytes.length * 2);
        // Buffer.concat gives memory of its own for this size, so its offset is a multiple of four.
        content = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      }
      return bytes.subarray(length);
    },
    took: (count) => {
      length += count;
    },
    clear: () => {
      length = 0;
      threads.clear();
    },
    processes: () => {
      const found: number[] = [];
      const end = length / 4;
      for (let at = 0; at < end; ) {
        const isFirst = content[at] === content[at + 2];
        const next = at + (isFirst ? processSlots : threadSlots) * 2;
        if (next > end) throw new RangeError("the task iterator's output ends in the middle of a record");
        if (isFirst) found.push(at);
        else addThread(at);
        at = next;
      }
      return found;
    },
    threads,
    figure,
    count: (word) => ((content[word + 1] ?? 0) >= twoTo32 / 2 ? 0 : figure(word)),
    openFiles: (record) => {
      const count = content[record + openFilesWord] ?? 0;
      return count === uncounted ? Number.NaN : count;
    },
    get bytes() {
      return bytes;
    },
    commFrom: (record) => (record + words.nameFrom) * 4,
  };
}

/** Where `comm` ends: it is filled with NUL to sixteen bytes. */
export function commEnd(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(0, from);
  return end === -1 || end > from + commBytes ? from + commBytes : end;
}
