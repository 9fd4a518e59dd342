import { words } from "./process-record.ts";
import { type RecordPool, signedWordsOf, wordsOfRecord } from "./record-pool.ts";
import { enlarge, isSummed, type ShownProcesses } from "./task-records.ts";

/** A read from the iterator gives 32 KiB at the most; what is left of the read before comes first. */
const roomBytes = 32 * 1024;
/** Processes for which room is made at first. */
const leastProcesses = 1024;

/** Takes in what the kernel's iterator writes, pass by pass: a record of each process, by PID. */
export interface IteratedProcesses extends ShownProcesses {
  /** Begins a new pass, beside which the one before is kept. */
  begin(): void;
  /** Forgets all passes. */
  clear(): void;
  /** Bytes for the next read from the iterator; at least 32 KiB, which is the most that it gives at once. */
  room(): Buffer;
  /** Takes in what was read into the room. */
  took(bytes: number): void;
  /** Ends the pass. @throws RangeError when the bytes end in the middle of a record */
  finish(): void;
}

interface Pass {
  count: number;
  pids: Int32Array;
  places: Int32Array;
  same: Uint8Array;
}

export function createIteratedProcesses(pool: RecordPool): IteratedProcesses {
  const room = Buffer.alloc(roomBytes + wordsOfRecord * 4);
  const read = signedWordsOf(room);
  /** Bytes in the room that are no whole record yet. */
  let left = 0;
  let pass = createPass();
  let before = createPass();
  /** Where the pass before is compared. */
  let cursor = 0;

  /** Passes over those of the pass before whose PIDs are less. @returns the index of this one, -1 for none */
  const findBefore = (pid: number): number => {
    for (; cursor < before.count && (before.pids[cursor] ?? 0) < pid; cursor++)
      pool.free(before.places[cursor] ?? 0);
    return cursor < before.count && before.pids[cursor] === pid ? cursor++ : -1;
  };
  const takeRecord = (from: number): void => {
    const pid = read[from + words.processId] ?? 0;
    const known = findBefore(pid);
    const place = known === -1 ? pool.take() : (before.places[known] ?? 0);
    const isSame = known !== -1 && pool.isSame(place, read, from);
    if (!isSame) pool.put(place, read, from);
    const index = pass.count++;
    pass.pids[index] = pid;
    pass.places[index] = place;
    pass.same[index] = isSame && isSummed(pool, place) ? 1 : 0;
  };
  return {
    begin: () => {
      [pass, before] = [before, pass];
      pass.count = 0;
      cursor = 0;
      left = 0;
    },
    clear: () => {
      pass.count = 0;
      before.count = 0;
      pool.clear();
    },
    room: () => room.subarray(left),
    took: (bytes) => {
      const end = (left + bytes) >> 2;
      makeRoom(pass, pass.count + end / wordsOfRecord);
      let from = 0;
      for (; from + wordsOfRecord <= end; from += wordsOfRecord) takeRecord(from);
      left += bytes - from * 4;
      room.copyWithin(0, from * 4, from * 4 + left);
    },
    finish: () => {
      if (left !== 0) throw new RangeError("the task iterator's output ends in the middle of a record");
      findBefore(Number.POSITIVE_INFINITY);
    },
    count: () => pass.count,
    get pids() {
      return pass.pids;
    },
    get places() {
      return pass.places;
    },
    get same() {
      return pass.same;
    },
  };
}

function createPass(): Pass {
  return {
    count: 0,
    pids: new Int32Array(leastProcesses),
    places: new Int32Array(leastProcesses),
    same: new Uint8Array(leastProcesses),
  };
}

function makeRoom(pass: Pass, processes: number): void {
  if (processes <= pass.pids.length) return;
  const length = Math.max(2 * pass.pids.length, processes);
  pass.pids = enlarge(pass.pids, new Int32Array(length));
  pass.places = enlarge(pass.places, new Int32Array(length));
  pass.same = enlarge(pass.same, new Uint8Array(length));
}
