import { taskSlots, uncounted, words } from "./task-iterator.ts";

const twoTo32 = 2 ** 32;
const wordsOfRecord = taskSlots * 2;
const readBytes = 64 * 1024;
const commBytes = 16;
/** Records that are compared in one call: most are as before, and a call costs as much as a loop over two of them. */
const recordsOfBlock = 8;
const bytesOfBlock = recordsOfBlock * wordsOfRecord * 4;

/** What the kernel wrote in one pass: records of processes, one after the other. */
export interface TaskRecords {
  /** Bytes for the next read from the iterator; at least 32 KiB, which is the most that it gives at once. */
  room(): Buffer;
  /** Takes in what was read into the room. */
  took(bytes: number): void;
  /** Begins a new pass, beside which the one before is kept. */
  clear(): void;
  /** How many there are. @throws RangeError when the bytes end in the middle of a record */
  count(): number;
  /** Whether the pass before had the same record at this place, to the last bit. */
  isAsBefore(index: number): boolean;
  /** First word of a record, for `words` to be added to. */
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

export function createTaskRecords(): TaskRecords {
  let bytes = Buffer.alloc(4 * readBytes);
  let content = wordsOf(bytes);
  let length = 0;
  let bytesBefore = Buffer.alloc(4 * readBytes);
  let before = wordsOf(bytesBefore);
  let lengthBefore = 0;
  // A number, not a BigInt: making BigInt objects costs ten times the scan.
  const figure = (word: number): number => (content[word] ?? 0) + (content[word + 1] ?? 0) * twoTo32;
  /** The block that was compared last, -1 for none. */
  let block = -1;
  let isBlockSame = false;
  const isBlockAsBefore = (index: number): boolean => {
    if (block === index) return isBlockSame;
    block = index;
    const from = index * bytesOfBlock;
    const end = from + bytesOfBlock;
    isBlockSame =
      end <= length && end <= lengthBefore && bytes.compare(bytesBefore, from, end, from, end) === 0;
    return isBlockSame;
  };
  return {
    room: () => {
      if (bytes.length - length < readBytes) {
        bytes = Buffer.concat([bytes], bytes.length * 2);
        content = wordsOf(bytes);
      }
      return bytes.subarray(length);
    },
    took: (count) => {
      length += count;
    },
    clear: () => {
      [bytes, bytesBefore] = [bytesBefore, bytes];
      [content, before] = [before, content];
      [length, lengthBefore] = [0, length];
      block = -1;
    },
    count: () => {
      const found = length / 4 / wordsOfRecord;
      if (Number.isInteger(found)) return found;
      throw new RangeError("the task iterator's output ends in the middle of a record");
    },
    isAsBefore: (index) => {
      if (isBlockAsBefore(Math.floor(index / recordsOfBlock))) return true;
      const end = (index + 1) * wordsOfRecord;
      if (end > lengthBefore / 4) return false;
      const [now, then] = [content, before];
      // A loop: a call of Buffer.compare costs more than these few words.
      for (let word = end - wordsOfRecord; word < end; word++) if (now[word] !== then[word]) return false;
      return true;
    },
    at: (index) => index * wordsOfRecord,
    figure,
    positive: (word) => ((content[word + 1] ?? 0) >= twoTo32 / 2 ? 0 : figure(word)),
    openFiles: (record) => {
      const count = content[record + words.openFiles] ?? 0;
      return count === uncounted ? Number.NaN : count;
    },
    isSummed: (record) => content[record + words.unsummed] === 0,
    get bytes() {
      return bytes;
    },
    commFrom: (record) => (record + words.nameFrom) * 4,
  };
}

/** Of memory of its own, whose offset is a multiple of four: Buffer.alloc and Buffer.concat give such for this size. */
function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** Where `comm` ends: it is filled with NUL to sixteen bytes. */
export function commEnd(bytes: Buffer, from: number): number {
  // A loop: a call of Buffer.indexOf costs more than these few bytes.
  let end = from;
  while (end < from + commBytes && bytes[end] !== 0) end++;
  return end;
}
