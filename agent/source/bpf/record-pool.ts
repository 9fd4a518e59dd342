import { taskSlots } from "./process-record.ts";

export const wordsOfRecord = taskSlots * 2;
/** Records for which room is made at first. */
const leastRecords = 1024;

/** Places for records, each of `wordsOfRecord` words. */
export interface RecordPool {
  /** All places, as bytes and as words; others after `take`. */
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  /** @returns the first word of a place that is free */
  take(): number;
  free(place: number): void;
  /**
   * Whether a place holds the record that begins at a word of another array. Both are compared as numbers with a sign: V8 has
   * those without one as floating-point numbers.
   */
  isSame(place: number, other: Int32Array, from: number): boolean;
  put(place: number, other: Int32Array, from: number): void;
  /** Frees all. */
  clear(): void;
}

export function createRecordPool(): RecordPool {
  const bytes = Buffer.alloc(leastRecords * wordsOfRecord * 4);
  let used = 0;
  let freed: number[] = [];
  let signed = signedWordsOf(bytes);
  // Properties, not accessors: they are read for every figure of every record.
  const pool = {
    bytes,
    words: wordsOf(bytes),
    take: (): number => {
      const known = freed.pop();
      if (known !== undefined) return known;
      if (used === pool.words.length) {
        pool.bytes = Buffer.concat([pool.bytes], pool.bytes.length * 2);
        pool.words = wordsOf(pool.bytes);
        signed = signedWordsOf(pool.bytes);
      }
      used += wordsOfRecord;
      return used - wordsOfRecord;
    },
    free: (place: number): void => {
      freed.push(place);
    },
    isSame: (place: number, other: Int32Array, from: number): boolean => {
      const words = signed;
      // Loops: a call of Buffer.compare or Buffer.copy costs more than these few words.
      for (let word = 0; word < wordsOfRecord; word++)
        if (words[place + word] !== other[from + word]) return false;
      return true;
    },
    put: (place: number, other: Int32Array, from: number): void => {
      const words = signed;
      for (let word = 0; word < wordsOfRecord; word++) words[place + word] = other[from + word] ?? 0;
    },
    clear: (): void => {
      used = 0;
      freed = [];
    },
  };
  return pool;
}

/** Of memory of its own, whose offset is a multiple of four: Buffer.alloc and Buffer.concat give such for large sizes. */
function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

export function signedWordsOf(bytes: Buffer): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
