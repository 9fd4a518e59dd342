import type { Syscalls } from "../../syscalls.ts";
import { turns } from "../turns.ts";
import type { Assembler, Register } from "./assembler.ts";
import type { Btf } from "./btf.ts";
import { createMappedValue } from "./maps.ts";
import { getField, lifeFields, type RecordField, taskField, usageFields, widthOf } from "./record-fields.ts";

/** Processes that are remembered; those beyond have their whole record in each pass. All of it counts as the agent's memory. */
const mostSeen = 32_768;
/** Entries that the program looks at for one process: those between are of processes that have ended since. */
const mostLooks = 16;

// The value that the program and the agent share, in bytes: the scan's number and the place of the entry that was looked
// at last; then the entries, which ascend by PID: PID, seal.
const scanAt = 0;
const cursorAt = 8;
const entriesAt = 16;
const entryBytes = 16;
const sealAt = 8;
const wordsOfEntry = entryBytes / 4;
const sealWord = sealAt / 4;

/** An odd number without a pattern: 2^64 divided by the golden ratio. */
const multiplier = 0x9e37_79b9_7f4a_7c15n;

interface SealedField {
  readonly name: string;
  readonly field: RecordField;
  readonly isPointer?: true;
}

const state: SealedField = { name: "state", field: lifeFields.state };
/** include/linux/sched.h */
const TASK_RUNNING = 0;

/**
 * What tells that a process has neither run since it was seen nor been changed by others: CPU time counts nanoseconds, so
 * that no run leaves it as it was. What others can change of a process at rest is here too (its parent, its cgroup), or is seen
 * when it has its turn: its memory, by reclaim, and a limit that prlimit(2) sets. No more than that, since each field is a part of
 * the kernel's memory that is in no cache: a process does nothing to its threads, its state or its end without running, and a new
 * one that has the PID of one before has its own CPU time and stands elsewhere in memory.
 */
const sealed: readonly SealedField[] = [
  { name: "runTime", field: usageFields.runTime },
  state,
  { name: "parent", field: taskField("real_parent"), isPointer: true },
  { name: "cgroups", field: taskField("cgroups"), isPointer: true },
];

/**
 * Makes one figure of all that tells of a change, the seal, and jumps to `unchanged` when it is the one that the process's
 * entry has. One that runs is always taken for changed: its CPU time is booked at the next tick. Expects r6 the context and r7
 * the first thread; uses r0–r5, r8 and r9.
 *
 * What a loop has found is in the map and not in a register or on the stack, so that the verifier has one state to follow from
 * `changed` on: it would go through all that comes then for each turn of the loop.
 * @param slot eight bytes of the stack for the seal: offset from the frame's end (r10)
 */
export function jumpIfSealed(
  code: Assembler,
  btf: Btf,
  mapFd: number,
  slot: number,
  unchanged: string,
): void {
  const pid = pidOf(btf);
  // No process has this seal.
  code.move("r1", 0);
  code.store("r10", slot, "r1", 8);
  // The first of a pass is looked for from the first entry on.
  code.load("r1", "r6", 0, 8);
  code.load("r1", "r1", getField(btf, "seq_num", "bpf_iter_meta", ["seq_num"]).offset, 8);
  code.jumpIfNotEqual("r1", 0, "within a pass");
  code.loadMapValue("r2", mapFd, 0);
  code.store("r2", cursorAt, "r1", 8);
  code.label("within a pass");
  loadField(code, btf, "r1", state);
  code.jumpIfEqual("r1", TASK_RUNNING, "changed");
  findEntry(code, mapFd, pid);
  writeSeal(code, btf);
  code.store("r10", slot, "r1", 8);
  code.load("r2", "r9", sealAt, 8);
  code.jumpIfNotEqual("r1", "r2", "changed");
  code.loadMapValue("r2", mapFd, 0);
  code.load("r1", "r2", scanAt, 8);
  code.load("r2", "r7", pid, 4);
  code.add("r1", "r2");
  code.and("r1", turns - 1);
  code.jumpIfNotEqual("r1", 0, unchanged);
  code.label("changed");
  spoilOfThreads(code, btf, slot);
}

/**
 * A process with several threads gets a seal that it will not have: they run without it. A list of one has the same link on
 * both sides, the list's head, so that of one thread the seal stays as it is. Without a jump, for the verifier's sake.
 */
function spoilOfThreads(code: Assembler, btf: Btf, slot: number): void {
  code.load("r1", "r7", getField(btf, "thread_node", "task_struct", ["thread_node.next"]).offset, 8);
  code.load("r2", "r7", getField(btf, "thread_node", "task_struct", ["thread_node.prev"]).offset, 8);
  code.subtract("r1", "r2");
  code.load("r2", "r10", slot, 8);
  code.xor("r2", "r1");
  code.store("r10", slot, "r2", 8);
}

function pidOf(btf: Btf): number {
  return getField(btf, "pid", "task_struct", ["pid"]).offset;
}

/** r9 = the process's entry; jumps to `changed` when it has none. */
function findEntry(code: Assembler, mapFd: number, pid: number): void {
  code.load("r3", "r7", pid, 4);
  code.move("r5", 0);
  code.label("next entry");
  loadEntry(code, mapFd, "changed");
  code.load("r2", "r9", 0, 8);
  code.jumpIfGreaterOrEqual("r2", "r3", "entry found");
  code.add("r8", 1);
  code.store("r4", cursorAt, "r8", 8);
  code.add("r5", 1);
  code.jumpIfGreaterOrEqual("r5", mostLooks, "changed");
  code.jump("next entry");
  code.label("entry found");
  code.jumpIfNotEqual("r2", "r3", "changed");
}

/** r9 = the entry at the cursor, r8 the cursor, r4 the map's value; jumps where it is behind the last entry. Uses r1. */
function loadEntry(code: Assembler, mapFd: number, none: string): void {
  code.loadMapValue("r4", mapFd, 0);
  code.load("r8", "r4", cursorAt, 8);
  code.jumpIfGreaterOrEqual("r8", mostSeen, none);
  code.move("r1", "r8");
  code.multiply("r1", entryBytes);
  code.loadMapValue("r9", mapFd, entriesAt);
  code.add("r9", "r1");
}

/** A field of the task in r7. */
function loadField(code: Assembler, btf: Btf, register: Register, { name, field }: SealedField): void {
  const { offset, size } = getField(btf, name, field.struct, field.paths);
  code.load(register, "r7", offset, widthOf(size, field.struct, name));
}

/** r1 = the seal */
function writeSeal(code: Assembler, btf: Btf): void {
  code.loadConstant("r3", multiplier);
  code.move("r1", 0);
  for (const one of sealed) {
    loadField(code, btf, "r2", one);
    // The verifier lets a program do nothing with a pointer but subtract another one.
    if (one.isPointer) code.subtract("r2", "r7");
    code.xor("r1", "r2");
    code.multiply("r1", "r3");
    code.move("r2", "r1");
    code.shiftRight("r2", 32);
    code.xor("r1", "r2");
  }
}

/** Seals the process, whose record has been written: the entry at the cursor, if it is its own. Uses r1–r4, r8 and r9. */
export function seal(code: Assembler, btf: Btf, mapFd: number, slot: number): void {
  loadEntry(code, mapFd, "no entry");
  code.load("r2", "r9", 0, 8);
  code.load("r3", "r7", pidOf(btf), 4);
  code.jumpIfNotEqual("r2", "r3", "no entry");
  code.load("r2", "r10", slot, 8);
  code.store("r9", sealAt, "r2", 8);
  code.label("no entry");
}

/** Processes that a pass has shown: columns, of which the first `count` hold. */
export interface ShownTasks {
  count(): number;
  /** They ascend. */
  readonly pids: Int32Array;
  /** By index, that of the process in the pass before, -1 for one that is new. */
  readonly indexesBefore: Int32Array;
}

/** What the kernel program remembers of processes from pass to pass. */
export interface SeenTasks {
  readonly mapFd: number;
  /** To be called before each pass. @param all whether nothing is to be remembered of those before */
  begin(scan: number, all: boolean): void;
  /** Gives entries to the processes of the last pass, where these are others than before. */
  keep(shown: ShownTasks): void;
  close(): void;
}

/** @throws AgentError `unavailable` when the kernel has no such map or refuses it */
export function createSeenTasks(syscalls: Syscalls): SeenTasks {
  const { fd, bytes, close } = createMappedValue(entriesAt + mostSeen * entryBytes, "pidward_seen", syscalls);
  const words = new Uint32Array(bytes);
  const entries = words.subarray(entriesAt / 4);
  let known = 0;
  let isOpen = true;
  const end = (count: number): void => {
    known = count;
    // A PID that none reaches stands behind the last.
    entries[count * wordsOfEntry] = 0xffff_ffff;
  };
  return {
    mapFd: fd,
    // A scan that was under way when the agent stopped comes here; memory that is unmapped would end the process.
    begin: (scan, all) => {
      if (!isOpen) return;
      words[scanAt / 4] = scan;
      if (all) end(0);
    },
    keep: (shown) => {
      if (!isOpen) return;
      const { pids, indexesBefore } = shown;
      const count = Math.min(shown.count(), mostSeen - 1);
      const old = entries.slice(0, known * wordsOfEntry);
      for (let index = 0; index < count; index++) {
        const from = (indexesBefore[index] ?? -1) * wordsOfEntry;
        const to = index * wordsOfEntry;
        const hasSeal = from >= 0 && from < old.length;
        entries[to] = pids[index] ?? 0;
        entries[to + sealWord] = hasSeal ? (old[from + sealWord] ?? 0) : 0;
        entries[to + sealWord + 1] = hasSeal ? (old[from + sealWord + 1] ?? 0) : 0;
      }
      end(count);
    },
    close: () => {
      isOpen = false;
      close();
    },
  };
}
