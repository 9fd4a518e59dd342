import type { Assembler } from "./assembler.ts";
import type { Btf } from "./btf.ts";
import {
  BPF_FUNC_probe_read_kernel,
  getField,
  type PlacedField,
  type RecordField,
  widthOf,
  writeFields,
} from "./record-fields.ts";

/** Stack that the sums may use, as offsets from the frame's end (r10). */
export interface Scratch {
  /** Bytes from here on hold what is copied from a thread, or the iterator's state. */
  readonly at: number;
  readonly bytes: number;
  /** A slot of eight bytes in which the context waits. */
  readonly contextAt: number;
}

/**
 * Threads of one process that are walked without the kernel's iterator: the verifier follows a loop of its own turn by
 * turn and gives up at 8,192 (BPF_COMPLEXITY_LIMIT_JMP_SEQ). Of a process with more /proc is read instead.
 */
export const mostWalked = 1024;

/** How threads are visited: by the kernel's iterator, or along the list that it keeps of them. */
export type ThreadVisit = "iterate" | "walk";

/** What this kernel allows. */
export function threadVisitOf(btf: Btf): ThreadVisit {
  return findTaskIterator(btf) === undefined ? "walk" : "iterate";
}

/**
 * Sums the fields over all threads of a process into their slots, which have to be zero. Uses r0–r5, r8 and r9.
 * Expects r6 the context and r7 the process's first thread.
 * @param unsummedAt the slot that is set to 1 when the threads are too many to be walked
 */
export function sumThreads(
  code: Assembler,
  btf: Btf,
  visit: ThreadVisit,
  placed: readonly PlacedField[],
  scratch: Scratch,
  unsummedAt: number,
): void {
  const signal = getField(btf, "signal", "task_struct", ["signal"]).offset;
  const count = getField(btf, "nr_threads", "signal_struct", ["nr_threads"]);
  code.load("r9", "r7", signal, 8);
  code.jumpIfEqual("r9", 0, "threads summed");
  code.load("r1", "r9", count.offset, widthOf(count.size, "signal_struct", "nr_threads"));
  code.jumpIfNotEqual("r1", 1, "several threads");
  writeFields(code, btf, "r7", placed, "only thread");
  code.jump("threads summed");
  code.label("several threads");
  const iterator = visit === "iterate" ? findTaskIterator(btf) : undefined;
  if (iterator === undefined) walkThreads(code, btf, placed, scratch, unsummedAt);
  else iterateThreads(code, btf, placed, scratch, iterator, unsummedAt);
  code.label("threads summed");
}

/** The kernel's functions for programs (kfuncs) that go through tasks, the threads of a process or others; since Linux 6.7. */
export interface TaskIterator {
  readonly create: number;
  readonly next: number;
  readonly destroy: number;
  readonly acquire: number;
  readonly release: number;
  readonly bytes: number;
  /** BPF_TASK_ITER_PROC_THREADS of kernel/bpf/task_iter.c */
  readonly threads: number;
}

/** Undefined where the kernel has none. */
export function findTaskIterator(btf: Btf): TaskIterator | undefined {
  const create = btf.findFunctionId("bpf_iter_task_new");
  const next = btf.findFunctionId("bpf_iter_task_next");
  const destroy = btf.findFunctionId("bpf_iter_task_destroy");
  const acquire = btf.findFunctionId("bpf_task_acquire");
  const release = btf.findFunctionId("bpf_task_release");
  const bytes = btf.findStructSize("bpf_iter_task");
  const threads = btf.findEnumerator("BPF_TASK_ITER_PROC_THREADS");
  const isThere = create && next && destroy && acquire && release && bytes && threads;
  return isThere ? { create, next, destroy, acquire, release, bytes, threads } : undefined;
}

function iterateThreads(
  code: Assembler,
  btf: Btf,
  placed: readonly PlacedField[],
  scratch: Scratch,
  iterator: TaskIterator,
  unsummedAt: number,
): void {
  // Its functions take no task that only RCU holds, as that of a walk is.
  code.move("r1", "r7");
  code.callKernelFunction(iterator.acquire);
  code.jumpIfEqual("r0", 0, "not acquired");
  code.move("r9", "r0");
  code.move("r2", "r9");
  code.move("r3", iterator.threads);
  callTaskIterator(code, iterator.create, scratch.at);
  code.label("next thread");
  callTaskIterator(code, iterator.next, scratch.at);
  code.jumpIfEqual("r0", 0, "no more threads");
  for (const { name, field, at } of placed) {
    const found = findUsage(btf, name, field);
    if (found === undefined) continue;
    code.load("r1", "r0", found.offset, widthOf(found.size, field.struct, name));
    addToSlot(code, at);
  }
  code.jump("next thread");
  code.label("no more threads");
  callTaskIterator(code, iterator.destroy, scratch.at);
  code.move("r1", "r9");
  code.callKernelFunction(iterator.release);
  code.jump("threads summed");
  code.label("not acquired");
  code.move("r1", 1);
  code.store("r10", unsummedAt, "r1", 8);
}

/** Calls one of its functions. @param at where its state is on the stack */
export function callTaskIterator(code: Assembler, kernelFunction: number, at: number): void {
  code.move("r1", "r10");
  code.add("r1", at);
  code.callKernelFunction(kernelFunction);
}

/**
 * Follows signal->thread_head from thread to thread. A list's link is no struct that the verifier lets a program read
 * a thread through, so the parts of each thread are copied; fields that are near each other come in one copy. What has
 * been released meanwhile is still readable (bpf_iter runs its programs under RCU).
 */
function walkThreads(
  code: Assembler,
  btf: Btf,
  placed: readonly PlacedField[],
  scratch: Scratch,
  unsummedAt: number,
): void {
  const link = getField(btf, "thread_node", "task_struct", ["thread_node"]).offset;
  const head = getField(btf, "thread_head", "signal_struct", ["thread_head"]).offset;
  // r6 counts, so the context has to wait; r8 the link of a thread, r9 the list's head
  code.store("r10", scratch.contextAt, "r6", 8);
  code.move("r6", 0);
  code.load("r8", "r9", head, 8);
  code.add("r9", head);
  code.label("next thread");
  code.jumpIfEqual("r8", "r9", "no more threads");
  code.jumpIfGreaterOrEqual("r6", mostWalked, "gave up");
  code.add("r6", 1);
  const usage = placed.flatMap((one) => {
    const found = findUsage(btf, one.name, one.field);
    return found === undefined ? [] : [{ ...one, ...found }];
  });
  for (const group of nearEachOther(usage, scratch.bytes)) {
    copy(code, scratch.at, group.bytes, group.from - link);
    for (const { name, field, offset, size, at } of group.fields) {
      code.load("r1", "r10", scratch.at + offset - group.from, widthOf(size, field.struct, name));
      addToSlot(code, at);
    }
  }
  copy(code, scratch.at, 8, 0);
  code.load("r8", "r10", scratch.at, 8);
  code.jump("next thread");
  code.label("gave up");
  code.move("r1", 1);
  code.store("r10", unsummedAt, "r1", 8);
  code.label("no more threads");
  code.load("r6", "r10", scratch.contextAt, 8);
}

/** Copies from the address in r8, plus an offset, to the stack; zeros where that cannot be read. */
function copy(code: Assembler, to: number, bytes: number, offset: number): void {
  code.move("r1", "r10");
  code.add("r1", to);
  code.move("r2", bytes);
  code.move("r3", "r8");
  code.add("r3", offset);
  code.call(BPF_FUNC_probe_read_kernel);
}

/** slot += r1 */
function addToSlot(code: Assembler, at: number): void {
  code.load("r2", "r10", at, 8);
  code.add("r2", "r1");
  code.store("r10", at, "r2", 8);
}

function findUsage(
  btf: Btf,
  name: string,
  field: RecordField,
): { readonly offset: number; readonly size: number } | undefined {
  if (field.optional === true && field.paths.every((path) => btf.findField(field.struct, path) === undefined))
    return undefined;
  return getField(btf, name, field.struct, field.paths);
}

interface Placed {
  readonly offset: number;
  readonly size: number;
}

/** Fields in the order of their offsets, those together that fit one copy. */
function nearEachOther<T extends Placed>(
  fields: readonly T[],
  mostBytes: number,
): readonly { readonly from: number; readonly bytes: number; readonly fields: readonly T[] }[] {
  const groups: { from: number; bytes: number; fields: T[] }[] = [];
  for (const field of fields.toSorted((a, b) => a.offset - b.offset)) {
    const last = groups.at(-1);
    const end = field.offset + field.size;
    if (last !== undefined && end - last.from <= mostBytes) {
      last.bytes = end - last.from;
      last.fields.push(field);
    } else groups.push({ from: field.offset, bytes: field.size, fields: [field] });
  }
  return groups;
}
