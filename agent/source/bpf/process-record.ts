import type { Assembler } from "./assembler.ts";
import type { Btf } from "./btf.ts";
import {
  BPF_FUNC_probe_read_kernel,
  endedUsageFields,
  fieldsOf,
  getField,
  identityFields,
  lifeFields,
  type PlacedField,
  type RecordField,
  signalField,
  taskField,
  usageFields,
  writeFields,
} from "./record-fields.ts";
import { sumThreads, type ThreadVisit } from "./thread-sums.ts";

const memory = fieldsOf("memory", "mm_struct");

/** Counts of pages: an array of percpu_counter since Linux 6.2, a struct of atomic_long_t before. */
const pages = (index: number): RecordField => ({
  ...memory(`rss_stat[${index}].count`),
  copied: [`rss_stat.count[${index}].counter`],
});

/** What a process has, each field a slot of eight bytes; `dead…` is the share of threads that have ended. */
const processFields = {
  processId: taskField("tgid"),
  flags: taskField("flags"),
  ...lifeFields,
  ...identityFields,
  threads: signalField("nr_threads"),
  ...endedUsageFields,
  /** RLIMIT_NOFILE is 7 (include/uapi/asm-generic/resource.h). */
  openFilesLimit: signalField("rlim[7].rlim_cur"),
  virtualPages: memory("total_vm"),
  filePages: pages(0),
  anonymousPages: pages(1),
  swapPages: pages(2),
  sharedPages: pages(3),
} as const satisfies Record<string, RecordField>;

/** The slots of a record, in this order; those of `usageFields` are sums over the threads that live. */
const slotNames = [
  ...(Object.keys(processFields) as (keyof typeof processFields)[]),
  ...(Object.keys(usageFields) as (keyof typeof usageFields)[]),
  /** Number of open files, or `uncounted`. */
  "openFiles",
  /** 1 when the threads were too many to be summed here. */
  "unsummed",
] as const;
export type TaskSlot = (typeof slotNames)[number];

export const taskSlots = slotNames.length;
/** What `openFiles` is when the table is too large to be counted here. */
export const uncounted = 0xffff_ffff;
/** Where each figure is, in words of four bytes from the beginning of a record. */
export const words = Object.fromEntries(slotNames.map((name, slot) => [name, slot * 2])) as Readonly<
  Record<TaskSlot, number>
>;

/** Bits of the open files' bitmap that are counted in the kernel: more would not fit the stack of 512 bytes. */
const countedFiles = 1024;
/** Where the record is made, as an offset from the frame's end (r10). */
export const recordAt = -(taskSlots * 8);
const bitmapAt = recordAt - countedFiles / 8;
const contextAt = bitmapAt - 8;

function slotAt(name: TaskSlot): number {
  return recordAt + slotNames.indexOf(name) * 8;
}

function place(fields: Readonly<Record<string, RecordField>>): readonly PlacedField[] {
  return Object.entries(fields).map(([name, field]) => ({ name, field, at: slotAt(name as TaskSlot) }));
}

/**
 * Makes a process's record on the stack, with the sums over all its threads. Expects r7 its first thread, which stays, as
 * r6 does; uses the other registers. Offsets are those of the running kernel.
 * @throws AgentError `unavailable` that names the field which this kernel has not
 */
export function makeRecord(code: Assembler, btf: Btf, visit: ThreadVisit): void {
  code.move("r1", 0);
  for (let slot = 0; slot < taskSlots; slot++) code.store("r10", recordAt + slot * 8, "r1", 8);
  writeFields(code, btf, "r7", place(processFields), "process");
  // The bitmap's place is free until the files are counted.
  const scratch = { at: bitmapAt, bytes: countedFiles / 8, contextAt };
  sumThreads(code, btf, visit, place(usageFields), scratch, slotAt("unsummed"));
  countOpenFiles(code, btf);
}

/**
 * Counts the bits of files->fdt->open_fds. The bitmap is no struct, so it is copied first (bpf_probe_read_kernel), and
 * its words are counted without branches: a branch for each would multiply the verifier's paths.
 */
function countOpenFiles(code: Assembler, btf: Btf): void {
  const words = countedFiles / 64;
  const result = slotAt("openFiles");
  code.load("r8", "r7", getField(btf, "files", "task_struct", ["files"]).offset, 8);
  code.jumpIfEqual("r8", 0, "counted");
  code.load("r8", "r8", getField(btf, "files", "files_struct", ["fdt"]).offset, 8);
  code.jumpIfEqual("r8", 0, "counted");
  code.load("r2", "r8", getField(btf, "files", "fdtable", ["max_fds"]).offset, 4);
  code.jumpIfGreaterOrEqual("r2", countedFiles + 1, "too many files");
  code.shiftRight("r2", 3);
  code.move("r1", 0);
  for (let word = 0; word < words; word++) code.store("r10", bitmapAt + word * 8, "r1", 8);
  code.load("r3", "r8", getField(btf, "files", "fdtable", ["open_fds"]).offset, 8);
  code.move("r1", "r10");
  code.add("r1", bitmapAt);
  code.call(BPF_FUNC_probe_read_kernel);
  code.loadConstant("r3", 0x5555_5555_5555_5555n);
  code.loadConstant("r4", 0x3333_3333_3333_3333n);
  code.loadConstant("r5", 0x0f0f_0f0f_0f0f_0f0fn);
  code.loadConstant("r9", 0x0101_0101_0101_0101n);
  code.move("r8", 0);
  for (let word = 0; word < words; word++) {
    code.load("r1", "r10", bitmapAt + word * 8, 8);
    addBits(code);
  }
  code.store("r10", result, "r8", 8);
  code.jump("counted");
  code.label("too many files");
  code.loadConstant("r1", BigInt(uncounted));
  code.store("r10", result, "r1", 8);
  code.label("counted");
}

/** r8 += number of bits in r1, by halving: pairs, nibbles, bytes, then the sum of the bytes. */
function addBits(code: Assembler): void {
  code.move("r2", "r1");
  code.shiftRight("r2", 1);
  code.and("r2", "r3");
  code.subtract("r1", "r2");
  code.move("r2", "r1");
  code.shiftRight("r2", 2);
  code.and("r2", "r4");
  code.and("r1", "r4");
  code.add("r1", "r2");
  code.move("r2", "r1");
  code.shiftRight("r2", 4);
  code.add("r1", "r2");
  code.and("r1", "r5");
  code.multiply("r1", "r9");
  code.shiftRight("r1", 56);
  code.add("r8", "r1");
}
