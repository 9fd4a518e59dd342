import { createRecordPool, signedWordsOf, wordsOfRecord } from "./record-pool.ts";
import type { ShownTasks } from "./seen-tasks.ts";
import { uncounted, words } from "./task-iterator.ts";

const twoTo32 = 2 ** 32;
const wordsOfMark = 2;
/** A read from the iterator gives 32 KiB at the most; what is left of the read before comes first. */
const roomBytes = 32 * 1024;
const commBytes = 16;
/** Processes for which room is made at first. */
const leastProcesses = 1024;

/** What the kernel writes, pass by pass: the latest record of each process that a pass has shown. */
export interface TaskRecords extends ShownTasks {
  /** Begins a new pass, beside which the one before is kept. */
  begin(): void;
  /** Forgets all passes: the next one has to have whole records. */
  clear(): void;
  /** Bytes for the next read from the iterator; at least 32 KiB, which is the most that it gives at once. */
  room(): Buffer;
  /** Takes in what was read into the room. @throws RangeError for a mark of a process that has no record */
  took(bytes: number): void;
  /**
   * Ends the pass.
   * @returns whether it has shown other processes than the one before
   * @throws RangeError when the bytes end in the middle of a record
   */
  finish(): boolean;
  /**
   * By index, 1 where the process has the record of the pass before, to the last bit. Never for one whose threads were too
   * many: its record tells nothing of them.
   */
  readonly same: Uint8Array;
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

/** Which processes a pass has shown: columns, of which the first `count` hold. */
interface Pass {
  count: number;
  pids: Int32Array;
  /** The first word of each one's record in the pool. */
  places: Int32Array;
  indexesBefore: Int32Array;
  same: Uint8Array;
}

export function createTaskRecords(): TaskRecords {
  const pool = createRecordPool();
  const room = Buffer.alloc(roomBytes + wordsOfRecord * 4);
  const read = signedWordsOf(room);
  /** Bytes in the room that are no whole record yet. */
  let left = 0;
  let pass = createPass();
  let before = createPass();
  /** Where the pass before is compared. */
  let cursor = 0;
  let areOthers = false;

  /** Passes over those of the pass before whose PIDs are less. @returns the index of this one, -1 for none */
  const findBefore = (pid: number): number => {
    for (; cursor < before.count && (before.pids[cursor] ?? 0) < pid; cursor++) {
      areOthers = true;
      pool.free(before.places[cursor] ?? 0);
    }
    return cursor < before.count && before.pids[cursor] === pid ? cursor++ : -1;
  };
  const isSummed = (record: number): boolean => pool.words[record + words.unsummed] === 0;
  const add = (pid: number, place: number, indexBefore: number, isSame: boolean): void => {
    const index = pass.count++;
    pass.pids[index] = pid;
    pass.places[index] = place;
    pass.indexesBefore[index] = indexBefore;
    pass.same[index] = isSame ? 1 : 0;
  };
  const takeMark = (pid: number): void => {
    const known = findBefore(pid);
    if (known === -1) throw new RangeError(`the task iterator has a mark of process ${pid}, but no record`);
    add(pid, before.places[known] ?? 0, known, true);
  };
  /**
   * Takes marks as long as they are of the processes that follow one another in the pass before, which nearly all are.
   * @returns where it stopped
   */
  const takeMarks = (from: number, end: number): number => {
    const { pids, places, count } = before;
    const { pids: pidsNow, places: placesNow, indexesBefore, same } = pass;
    let index = pass.count;
    let word = from;
    for (; word < end && read[word + 1] !== 0; word += wordsOfMark) {
      const pid = read[word] ?? 0;
      if (cursor >= count || pids[cursor] !== pid) break;
      pidsNow[index] = pid;
      placesNow[index] = places[cursor] ?? 0;
      indexesBefore[index] = cursor++;
      same[index++] = 1;
    }
    pass.count = index;
    return word;
  };
  const takeRecord = (from: number): void => {
    const pid = read[from + words.processId] ?? 0;
    const known = findBefore(pid);
    if (known === -1) areOthers = true;
    const place = known === -1 ? pool.take() : (before.places[known] ?? 0);
    const isSame = known !== -1 && pool.isSame(place, read, from);
    if (!isSame) pool.put(place, read, from);
    add(pid, place, known, isSame && isSummed(place));
  };
  // A number, not a BigInt: making BigInt objects costs ten times the scan.
  const figure = (word: number): number => (pool.words[word] ?? 0) + (pool.words[word + 1] ?? 0) * twoTo32;
  return {
    begin: () => {
      [pass, before] = [before, pass];
      pass.count = 0;
      cursor = 0;
      left = 0;
      areOthers = false;
    },
    clear: () => {
      pass.count = 0;
      before.count = 0;
      pool.clear();
    },
    room: () => room.subarray(left),
    took: (bytes) => {
      const end = (left + bytes) >> 2;
      makeRoom(pass, pass.count + end / wordsOfMark);
      let from = 0;
      for (;;) {
        from = takeMarks(from, end - 1);
        const isMark = read[from + 1] !== 0;
        const next = from + (isMark ? wordsOfMark : wordsOfRecord);
        if (next > end) break;
        if (isMark) takeMark(read[from] ?? 0);
        else takeRecord(from);
        from = next;
      }
      left += bytes - from * 4;
      room.copyWithin(0, from * 4, from * 4 + left);
    },
    finish: () => {
      if (left !== 0) throw new RangeError("the task iterator's output ends in the middle of a record");
      findBefore(Number.POSITIVE_INFINITY);
      return areOthers;
    },
    count: () => pass.count,
    get pids() {
      return pass.pids;
    },
    get indexesBefore() {
      return pass.indexesBefore;
    },
    get same() {
      return pass.same;
    },
    at: (index) => pass.places[index] ?? 0,
    figure,
    positive: (word) => ((pool.words[word + 1] ?? 0) >= twoTo32 / 2 ? 0 : figure(word)),
    openFiles: (record) => {
      const count = pool.words[record + words.openFiles] ?? 0;
      return count === uncounted ? Number.NaN : count;
    },
    isSummed,
    get bytes() {
      return pool.bytes;
    },
    commFrom: (record) => (record + words.nameFrom) * 4,
  };
}

function createPass(): Pass {
  return {
    count: 0,
    pids: new Int32Array(leastProcesses),
    places: new Int32Array(leastProcesses),
    indexesBefore: new Int32Array(leastProcesses),
    same: new Uint8Array(leastProcesses),
  };
}

function makeRoom(pass: Pass, processes: number): void {
  if (processes <= pass.pids.length) return;
  const length = Math.max(2 * pass.pids.length, processes);
  pass.pids = enlarge(pass.pids, new Int32Array(length));
  pass.places = enlarge(pass.places, new Int32Array(length));
  pass.indexesBefore = enlarge(pass.indexesBefore, new Int32Array(length));
  pass.same = enlarge(pass.same, new Uint8Array(length));
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
