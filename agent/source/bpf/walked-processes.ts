import type { RecordPool } from "./record-pool.ts";
import type { ShownProcesses } from "./task-records.ts";
import { type Checks, noEntry, type WalkMemory } from "./walk-memory.ts";

/** Processes for which room is made at first. */
const leastProcesses = 1024;

/** Takes in what the kernel's program writes, pass by pass: records of the processes that have changed, in the kernel's order. */
export interface WalkedProcesses extends ShownProcesses {
  /** Begins a new pass. */
  begin(): void;
  /** Forgets all passes. */
  clear(): void;
  /** Takes in what a call has written. */
  take(): void;
  /** Ends the pass, and gives entries to its processes when these are others than those of the pass before. */
  finish(): void;
}

/** A process without an entry: as a rule one that is new. */
interface Stranger {
  readonly pid: number;
  readonly place: number;
  /** The first entry behind it in the kernel's order. */
  readonly cursor: number;
  readonly checks: Checks;
  /** The entry that it is given. */
  entry: number;
}

/** The processes of a pass, by the numbers of their entries; and these numbers, by PID. */
interface List {
  count: number;
  pids: Int32Array;
  places: Int32Array;
  same: Uint8Array;
  byPid: Int32Array;
}

export function createWalkedProcesses(pool: RecordPool, memory: WalkMemory): WalkedProcesses {
  let list = createList(leastProcesses);
  let before = createList(leastProcesses);
  /** By the number of an entry of the list before, which it is now; -1 for none. */
  let entryNow = new Int32Array(leastProcesses);
  /** By PID, in the order in which they were seen first: a call can show once more what one before it has shown. */
  const strangers = new Map<number, Stranger>();
  let pids = new Int32Array(leastProcesses);
  let places = new Int32Array(leastProcesses);
  let same = new Uint8Array(leastProcesses);

  const takeKnown = (entry: number, from: number): void => {
    pool.put(list.places[entry] ?? 0, memory.output, from);
    list.same[entry] = 0;
  };
  const takeStranger = (index: number, from: number): void => {
    const pid = memory.pidOf(index);
    const known = strangers.get(pid);
    const place = known?.place ?? pool.take();
    const cursor = known?.cursor ?? memory.cursorOf(index);
    pool.put(place, memory.output, from);
    strangers.set(pid, { pid, place, cursor, checks: memory.checksOf(index), entry: noEntry });
  };
  const isAsBefore = (): boolean => {
    if (strangers.size !== 0 || memory.entries() !== list.count) return false;
    for (let entry = 0; entry < list.count; entry++) if (!memory.isShown(entry)) return false;
    return true;
  };
  const add = (pid: number, place: number, isSame: number): number => {
    list.pids[list.count] = pid;
    list.places[list.count] = place;
    list.same[list.count] = isSame;
    return list.count++;
  };
  /** Gives an entry to each process, in the kernel's order. */
  const renewEntries = (): void => {
    [list, before] = [before, list];
    const most = before.count + strangers.size;
    if (list.pids.length < most) list = createList(2 * most);
    if (entryNow.length < before.count) entryNow = new Int32Array(2 * most);
    list.count = 0;
    memory.beginEntries();
    const waiting = strangers.values();
    let next = waiting.next();
    const addStrangersBefore = (entry: number): void => {
      for (; next.done !== true && next.value.cursor <= entry; next = waiting.next()) {
        const { pid, place, checks } = next.value;
        next.value.entry = add(pid, place, 0);
        memory.addNew(pid, checks);
      }
    };
    for (let entry = 0; entry < before.count; entry++) {
      addStrangersBefore(entry);
      const pid = before.pids[entry] ?? 0;
      const place = before.places[entry] ?? 0;
      // One that has the PID of a stranger has ended in the midst of the pass.
      const stays = memory.wasShown(entry) && !strangers.has(pid);
      entryNow[entry] = stays ? add(pid, place, before.same[entry] ?? 0) : -1;
      if (stays) memory.addKept(pid, entry);
      else pool.free(place);
    }
    addStrangersBefore(Number.POSITIVE_INFINITY);
    memory.endEntries();
  };
  /** Orders them by PID: those of before are in order, and the others, which are few as a rule, come in between. */
  const order = (): void => {
    const others = [...strangers.values()].sort((a, b) => a.pid - b.pid);
    let next = 0;
    let count = 0;
    const addOthersBelow = (pid: number): void => {
      for (let one = others[next]; one !== undefined && one.pid < pid; one = others[++next])
        list.byPid[count++] = one.entry;
    };
    for (let index = 0; index < before.count; index++) {
      const entry = entryNow[before.byPid[index] ?? 0] ?? -1;
      if (entry === -1) continue;
      addOthersBelow(list.pids[entry] ?? 0);
      list.byPid[count++] = entry;
    }
    addOthersBelow(Number.POSITIVE_INFINITY);
    if (pids.length < count) {
      pids = new Int32Array(2 * count);
      places = new Int32Array(2 * count);
      same = new Uint8Array(2 * count);
    }
    for (let index = 0; index < count; index++) {
      const entry = list.byPid[index] ?? 0;
      pids[index] = list.pids[entry] ?? 0;
      places[index] = list.places[entry] ?? 0;
    }
  };
  return {
    begin: () => {
      list.same.fill(1, 0, list.count);
      strangers.clear();
    },
    clear: () => {
      list.count = 0;
      memory.beginEntries();
      memory.endEntries();
      pool.clear();
    },
    take: () => {
      const written = memory.written();
      for (let index = 0; index < written; index++) {
        const entry = memory.entryOf(index);
        const from = memory.recordAt(index);
        if (entry === noEntry) takeStranger(index, from);
        else takeKnown(entry, from);
      }
    },
    finish: () => {
      if (!isAsBefore()) {
        renewEntries();
        order();
      }
      for (let index = 0; index < list.count; index++) same[index] = list.same[list.byPid[index] ?? 0] ?? 0;
    },
    count: () => list.count,
    get pids() {
      return pids;
    },
    get places() {
      return places;
    },
    get same() {
      return same;
    },
  };
}

function createList(length: number): List {
  return {
    count: 0,
    pids: new Int32Array(length),
    places: new Int32Array(length),
    same: new Uint8Array(length),
    byPid: new Int32Array(length),
  };
}
