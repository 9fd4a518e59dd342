import { AgentError } from "../../errors.ts";
import { turns } from "../turns.ts";
import { type Assembler, createAssembler, type Register } from "./assembler.ts";
import type { Btf } from "./btf.ts";
import { makeRecord, recordAt, taskSlots, words } from "./process-record.ts";
import { getField, lifeFields, type RecordField, taskField, usageFields, widthOf } from "./record-fields.ts";
import { callTaskIterator, findTaskIterator } from "./thread-sums.ts";
import { noEntry, walkLayout } from "./walk-memory.ts";

/** Entries that the program looks at for one process: those between are of processes that have ended since. */
const mostLooks = 16;

/** An odd number without a pattern: 2^64 divided by the golden ratio. */
const multiplier = 0x9e37_79b9_7f4a_7c15n;

/** include/linux/sched.h */
const TASK_RUNNING = 0;

interface SealedField {
  readonly name: string;
  readonly field: RecordField;
  readonly isPointer?: true;
}

const state: SealedField = { name: "state", field: lifeFields.state };

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
 * A program that one call runs to its end (BPF_PROG_RUN, Documentation/bpf/bpf_prog_run.rst): it goes through all processes along
 * the kernel's own list, which is a third of what its iterator of PIDs takes, notes in the entry of each that it is there, and
 * writes the records of those that have changed since theirs was written. New processes stand at that list's end, and the others
 * never change their order, so that the entry of the next process is the next entry but for those that have ended.
 *
 * What the loop knows is in the map and not in registers or on the stack: the verifier would follow each state of its own.
 * @param mapFd a map of one value, which has the form of `walkLayout`
 * @throws AgentError `unavailable` that names what this kernel has not
 */
export function assembleProcessWalk(btf: Btf, mapFd: number): Buffer {
  const iterator = findTaskIterator(btf);
  const allProcesses = btf.findEnumerator("BPF_TASK_ITER_ALL_PROCS");
  const lock = btf.findFunctionId("bpf_rcu_read_lock");
  const unlock = btf.findFunctionId("bpf_rcu_read_unlock");
  if (iterator === undefined || allProcesses === undefined || lock === undefined || unlock === undefined)
    throw new AgentError("unavailable", "this kernel has no iterator of processes for programs");
  const code = createAssembler();
  const iteratorSlot = -iterator.bytes;
  code.callKernelFunction(lock);
  code.move("r2", 0);
  code.move("r3", allProcesses);
  callTaskIterator(code, iterator.create, iteratorSlot);
  code.label("next process");
  callTaskIterator(code, iterator.next, iteratorSlot);
  code.jumpIfEqual("r0", 0, "done");
  code.move("r7", "r0");
  skipOthers(code, btf, mapFd);
  makeSeal(code, btf, mapFd);
  findEntry(code, btf, mapFd);
  jumpIfUnchanged(code, btf, "next process");
  code.label("changed");
  code.move("r1", "r7");
  code.callLabel("write record");
  code.jumpIfEqual("r0", 0, "next process");
  code.label("done");
  callTaskIterator(code, iterator.destroy, iteratorSlot);
  code.callKernelFunction(unlock);
  code.move("r0", 0);
  code.exit();
  // A function of its own: else the verifier would go through it once more for each way in which the stack was left.
  code.label("write record");
  code.move("r7", "r1");
  spoilOfThreads(code, btf, mapFd);
  jumpIfFull(code, mapFd);
  makeRecord(code, btf, "iterate");
  sumRecord(code);
  loadFound(code, mapFd, "write");
  sealEntry(code);
  jumpIfWritten(code, "written");
  code.store("r9", walkLayout.entrySumAt, "r6", 8);
  code.label("write");
  writeOut(code, mapFd);
  code.label("written");
  code.move("r0", 0);
  code.exit();
  code.label("full");
  code.move("r0", 1);
  code.loadMapValue("r4", mapFd, 0);
  code.store("r4", walkLayout.isFullAt, "r0", 8);
  code.exit();
  return code.assemble();
}

/** Passes over the idle task, which is on the list as its head, and what a call before this one has shown. */
function skipOthers(code: Assembler, btf: Btf, mapFd: number): void {
  code.load("r3", "r7", pidOf(btf), 4);
  code.jumpIfEqual("r3", 0, "next process");
  code.loadMapValue("r4", mapFd, 0);
  code.load("r1", "r4", walkLayout.afterAt, 8);
  code.jumpIfEqual("r1", 0, "not shown yet");
  code.jumpIfNotEqual("r1", "r3", "next process");
  code.move("r1", 0);
  code.store("r4", walkLayout.afterAt, "r1", 8);
  code.jump("next process");
  code.label("not shown yet");
}

/**
 * One figure of all that tells of a change; 0 of one that runs, which is always taken for changed: its CPU time is booked at the
 * next tick. r4 = the map's value.
 */
function makeSeal(code: Assembler, btf: Btf, mapFd: number): void {
  code.move("r1", 0);
  loadField(code, btf, "r2", state);
  code.jumpIfEqual("r2", TASK_RUNNING, "seal made");
  code.loadConstant("r3", multiplier);
  for (const one of sealed) {
    loadField(code, btf, "r2", one);
    // The verifier lets a program do nothing with a pointer but subtract another one.
    if (one.isPointer) code.subtract("r2", "r7");
    mix(code, "r1");
  }
  code.label("seal made");
  code.loadMapValue("r4", mapFd, 0);
  code.store("r4", walkLayout.sealAt, "r1", 8);
}

/**
 * Looks for the process's entry, and notes there that the pass has shown it: r9 is the entry then; else goes to `changed`.
 * Expects r4 the map's value, which stays.
 */
function findEntry(code: Assembler, btf: Btf, mapFd: number): void {
  const { cursorAt, foundAt, mostSeen, passAt, entryPassAt } = walkLayout;
  code.loadConstant("r1", BigInt(noEntry));
  code.store("r4", foundAt, "r1", 8);
  code.load("r3", "r7", pidOf(btf), 4);
  code.move("r5", 0);
  code.label("next entry");
  code.load("r8", "r4", cursorAt, 8);
  code.jumpIfGreaterOrEqual("r8", mostSeen, "changed");
  loadEntry(code, mapFd);
  code.load("r2", "r9", 0, 4);
  code.loadConstant("r1", BigInt(noEntry));
  code.jumpIfEqual("r2", "r1", "changed");
  code.move("r1", "r8");
  code.add("r1", 1);
  code.store("r4", cursorAt, "r1", 8);
  code.jumpIfEqual("r2", "r3", "entry found");
  code.add("r5", 1);
  code.jumpIfGreaterOrEqual("r5", mostLooks, "changed");
  code.jump("next entry");
  code.label("entry found");
  code.store("r4", foundAt, "r8", 8);
  code.load("r1", "r4", passAt, 8);
  code.store("r9", entryPassAt, "r1", 4);
}

/** r9 = the entry whose number is in r8, which is less than their number. Uses r1. */
function loadEntry(code: Assembler, mapFd: number): void {
  code.move("r1", "r8");
  code.multiply("r1", walkLayout.entryBytes);
  code.loadMapValue("r9", mapFd, walkLayout.entriesAt);
  code.add("r9", "r1");
}

/** Jumps when the entry in r9 has the process's seal and it has not its turn. */
function jumpIfUnchanged(code: Assembler, btf: Btf, unchanged: string): void {
  code.load("r1", "r4", walkLayout.sealAt, 8);
  code.jumpIfEqual("r1", 0, "changed");
  code.load("r2", "r9", walkLayout.entrySealAt, 8);
  code.jumpIfNotEqual("r1", "r2", "changed");
  code.load("r1", "r4", walkLayout.scanAt, 8);
  code.load("r2", "r7", pidOf(btf), 4);
  code.add("r1", "r2");
  code.and("r1", turns - 1);
  code.jumpIfNotEqual("r1", 0, unchanged);
}

/**
 * A process with several threads gets a seal that it will not have: they run without it. A list of one has the same link on
 * both sides, the list's head, so that of one thread the seal stays as it is. Without a jump, for the verifier's sake.
 */
function spoilOfThreads(code: Assembler, btf: Btf, mapFd: number): void {
  code.load("r1", "r7", getField(btf, "thread_node", "task_struct", ["thread_node.next"]).offset, 8);
  code.load("r2", "r7", getField(btf, "thread_node", "task_struct", ["thread_node.prev"]).offset, 8);
  code.subtract("r1", "r2");
  code.loadMapValue("r4", mapFd, 0);
  code.load("r2", "r4", walkLayout.sealAt, 8);
  code.xor("r2", "r1");
  code.store("r4", walkLayout.sealAt, "r2", 8);
}

/** r8 = where the next record begins in the output, r4 the map's value; goes to `full` when there is no room. */
function jumpIfFull(code: Assembler, mapFd: number): void {
  const { writtenAt, outputBytes, outputStride } = walkLayout;
  code.loadMapValue("r4", mapFd, 0);
  code.load("r8", "r4", writtenAt, 8);
  code.jumpIfGreaterOrEqual("r8", outputBytes - outputStride + 1, "full");
  // For kernels that want to see that what is written there is aligned.
  code.and("r8", -8);
}

/** Mixes r2 into one figure of all that came before. Expects r3 the multiplier. */
function mix(code: Assembler, sum: "r1" | "r6"): void {
  code.xor(sum, "r2");
  code.multiply(sum, "r3");
  code.move("r2", sum);
  code.shiftRight("r2", 32);
  code.xor(sum, "r2");
}

/** r6 = the sum of the record: another one, but for one case in 2^64, when a bit of it is. */
function sumRecord(code: Assembler): void {
  code.loadConstant("r3", multiplier);
  code.move("r6", 0);
  for (let slot = 0; slot < taskSlots; slot++) {
    code.load("r2", "r10", recordAt + slot * 8, 8);
    mix(code, "r6");
  }
}

/** r9 = the process's entry, r4 the map's value; jumps when it has none. */
function loadFound(code: Assembler, mapFd: number, none: string): void {
  code.loadMapValue("r4", mapFd, 0);
  code.load("r8", "r4", walkLayout.foundAt, 8);
  code.jumpIfGreaterOrEqual("r8", walkLayout.mostSeen, none);
  loadEntry(code, mapFd);
}

/** Expects r9 the entry and r4 the map's value. */
function sealEntry(code: Assembler): void {
  code.load("r1", "r4", walkLayout.sealAt, 8);
  code.store("r9", walkLayout.entrySealAt, "r1", 8);
}

/** Jumps when the record is the one that was written last. One without its threads' sums is always written. */
function jumpIfWritten(code: Assembler, written: string): void {
  code.load("r1", "r10", recordAt + words.unsummed * 4, 8);
  code.jumpIfNotEqual("r1", 0, "other record");
  code.load("r1", "r9", walkLayout.entrySumAt, 8);
  code.jumpIfEqual("r1", "r6", written);
  code.label("other record");
}

/** Copies the record to the output. Expects r6 its sum. */
function writeOut(code: Assembler, mapFd: number): void {
  const { cursorAt, foundAt, writtenAt, sealAt, headEntryAt, headSealAt, headSumAt, headBytes } = walkLayout;
  jumpIfFull(code, mapFd);
  code.loadMapValue("r9", mapFd, walkLayout.outputAt);
  code.add("r9", "r8");
  code.load("r1", "r4", cursorAt, 8);
  code.store("r9", 0, "r1", 4);
  code.load("r1", "r4", foundAt, 8);
  code.store("r9", headEntryAt, "r1", 4);
  code.load("r1", "r4", sealAt, 8);
  code.store("r9", headSealAt, "r1", 8);
  code.store("r9", headSumAt, "r6", 8);
  for (let slot = 0; slot < taskSlots; slot++) {
    code.load("r1", "r10", recordAt + slot * 8, 8);
    code.store("r9", headBytes + slot * 8, "r1", 8);
  }
  code.add("r8", walkLayout.outputStride);
  code.store("r4", writtenAt, "r8", 8);
}

function pidOf(btf: Btf): number {
  return getField(btf, "pid", "task_struct", ["pid"]).offset;
}

/** A field of the task in r7. */
function loadField(code: Assembler, btf: Btf, register: Register, { name, field }: SealedField): void {
  const { offset, size } = getField(btf, name, field.struct, field.paths);
  code.load(register, "r7", offset, widthOf(size, field.struct, name));
}
