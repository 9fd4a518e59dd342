import { AgentError } from "../../errors.ts";
import { type Assembler, createAssembler, type Register, type Width } from "./assembler.ts";
import type { Btf, Field } from "./btf.ts";

/** Where a field's struct comes from: the thread itself, or what it points to. */
type Origin = "task" | "parent" | "credentials" | "signal" | "memory" | "defaultCgroup" | "memoryCgroup";

interface RecordField {
  readonly origin: Origin;
  readonly struct: string;
  /** Tried in this order: members are renamed between kernels. */
  readonly paths: readonly string[];
  /** A kernel without it gives 0. */
  readonly optional?: true;
}

const of =
  (origin: Origin, struct: string) =>
  (...paths: readonly string[]): RecordField => ({ origin, struct, paths });
const task = of("task", "task_struct");
const signal = of("signal", "signal_struct");
const memory = of("memory", "mm_struct");
const io = (field: RecordField): RecordField => ({ ...field, optional: true });

/** What every thread has; each field is a slot of eight bytes, in this order. */
export const threadFields = {
  threadId: task("pid"),
  processId: task("tgid"),
  userTime: task("utime"),
  systemTime: task("stime"),
  runTime: task("se.sum_exec_runtime"),
  minorFaults: task("min_flt"),
  majorFaults: task("maj_flt"),
  voluntarySwitches: task("nvcsw"),
  involuntarySwitches: task("nivcsw"),
  readBytes: io(task("ioac.read_bytes")),
  writtenBytes: io(task("ioac.write_bytes")),
} as const satisfies Record<string, RecordField>;

/** What the first thread of a process has besides; `dead…` is the share of threads that have ended. */
export const processFields = {
  flags: task("flags"),
  state: task("__state", "state"),
  exitState: task("exit_state"),
  startTime: task("start_boottime", "real_start_time"),
  nameFrom: task("comm"),
  nameEnd: task("comm"),
  parentId: of("parent", "task_struct")("tgid"),
  userId: of("credentials", "cred")("euid.val"),
  threads: signal("nr_threads"),
  deadUserTime: signal("utime"),
  deadSystemTime: signal("stime"),
  deadRunTime: signal("sum_sched_runtime"),
  deadMinorFaults: signal("min_flt"),
  deadMajorFaults: signal("maj_flt"),
  deadVoluntarySwitches: signal("nvcsw"),
  deadInvoluntarySwitches: signal("nivcsw"),
  deadReadBytes: io(signal("ioac.read_bytes")),
  deadWrittenBytes: io(signal("ioac.write_bytes")),
  /** RLIMIT_NOFILE is 7 (include/uapi/asm-generic/resource.h). */
  openFilesLimit: signal("rlim[7].rlim_cur"),
  virtualPages: memory("total_vm"),
  filePages: memory("rss_stat[0].count"),
  anonymousPages: memory("rss_stat[1].count"),
  swapPages: memory("rss_stat[2].count"),
  sharedPages: memory("rss_stat[3].count"),
  defaultCgroup: of("defaultCgroup", "kernfs_node")("id"),
  memoryCgroup: of("memoryCgroup", "kernfs_node")("id"),
} as const satisfies Record<string, RecordField>;

/** The slot behind the fields: number of open files, or this when the table is too large to be counted here. */
export const openFilesSlot = Object.keys(threadFields).length + Object.keys(processFields).length;
export const uncounted = 0xffff_ffff;
export const threadSlots = Object.keys(threadFields).length;
export const processSlots = openFilesSlot + 1;

/** The pointers that lead from a thread to an origin: struct and member, one after the other. */
function pathTo(
  origin: Origin,
  memoryController: number | undefined,
): readonly (readonly [string, string])[] {
  switch (origin) {
    case "task":
      return [];
    case "parent":
      return [["task_struct", "real_parent"]];
    case "credentials":
      return [["task_struct", "real_cred"]];
    case "signal":
      return [["task_struct", "signal"]];
    case "memory":
      return [["task_struct", "mm"]];
    case "defaultCgroup":
      return [
        ["task_struct", "cgroups"],
        ["css_set", "dfl_cgrp"],
        ["cgroup", "kn"],
      ];
    case "memoryCgroup":
      return [
        ["task_struct", "cgroups"],
        ["css_set", `subsys[${memoryController}]`],
        ["cgroup_subsys_state", "cgroup"],
        ["cgroup", "kn"],
      ];
  }
}

// include/uapi/linux/bpf.h, enum bpf_func_id
const BPF_FUNC_probe_read_kernel = 113;
const BPF_FUNC_seq_write = 127;

/** Bits of the open files' bitmap that are counted in the kernel: more would not fit the stack of 512 bytes. */
const countedFiles = 1024;
const bitmapAt = -(processSlots * 8 + countedFiles / 8);
const recordAt = -(processSlots * 8);

/**
 * The program that the kernel runs for each thread of the host: it writes `threadFields`, and for the first thread of
 * a process `processFields` and the number of open files too. Offsets are those of the running kernel.
 * @throws AgentError `unavailable` that names the field which this kernel has not
 */
export function assembleTaskIterator(btf: Btf): Buffer {
  const code = createAssembler();
  const controller = btf.findEnumerator("memory_cgrp_id");
  // r6 context { meta, task }, r7 the thread
  code.move("r6", "r1");
  code.load("r7", "r6", 8, 8);
  code.jumpIfEqual("r7", 0, "end");
  code.move("r1", 0);
  for (let slot = 0; slot < processSlots; slot++) code.store("r10", recordAt + slot * 8, "r1", 8);
  const fields = [...Object.entries(threadFields), ...Object.entries(processFields)];
  const origins = [...new Set(fields.map(([, field]) => field.origin))];
  const writeFields = (origin: Origin, base: Register, wanted: (slot: number) => boolean): void => {
    for (const [slot, [name, field]] of fields.entries()) {
      if (field.origin === origin && wanted(slot))
        writeField(code, btf, name, field, base, recordAt + slot * 8);
    }
  };
  writeFields("task", "r7", (slot) => slot < threadSlots);
  code.load("r1", "r10", recordAt, 8);
  code.load("r2", "r10", recordAt + 8, 8);
  code.jumpIfNotEqual("r1", "r2", "thread");
  writeFields("task", "r7", (slot) => slot >= threadSlots);
  for (const origin of origins) {
    if (origin === "task" || (origin === "memoryCgroup" && controller === undefined)) continue;
    code.move("r8", "r7");
    for (const [struct, member] of pathTo(origin, controller)) {
      code.load("r8", "r8", fieldOf(btf, origin, struct, [member]).offset, 8);
      code.jumpIfEqual("r8", 0, `without ${origin}`);
    }
    writeFields(origin, "r8", () => true);
    code.label(`without ${origin}`);
  }
  countOpenFiles(code, btf);
  code.move("r3", processSlots * 8);
  code.jump("write");
  code.label("thread");
  code.move("r3", threadSlots * 8);
  code.label("write");
  // bpf_seq_write(meta->seq, record, length)
  code.load("r1", "r6", 0, 8);
  code.load("r1", "r1", fieldOf(btf, "seq", "bpf_iter_meta", ["seq"]).offset, 8);
  code.move("r2", "r10");
  code.add("r2", recordAt);
  code.call(BPF_FUNC_seq_write);
  code.label("end");
  code.move("r0", 0);
  code.exit();
  return code.assemble();
}

function fieldOf(btf: Btf, name: string, struct: string, paths: readonly string[]): Field {
  for (const path of paths) {
    const field = btf.findField(struct, path);
    if (field !== undefined) return field;
  }
  throw new AgentError("unavailable", `this kernel has no ${struct}.${paths.join(" or .")} (${name})`);
}

function writeField(
  code: Assembler,
  btf: Btf,
  name: string,
  field: RecordField,
  base: Register,
  to: number,
): void {
  const found = field.paths.map((path) => btf.findField(field.struct, path)).find((one) => one !== undefined);
  if (found === undefined && field.optional === true) return;
  const { offset, size } = found ?? fieldOf(btf, name, field.struct, field.paths);
  // `comm` is sixteen bytes: two slots.
  const isName = name === "nameFrom" || name === "nameEnd";
  const width = isName ? 8 : size;
  if (width !== 1 && width !== 2 && width !== 4 && width !== 8) {
    throw new AgentError("unavailable", `this kernel has ${field.struct}.${name} in a form of ${size} bytes`);
  }
  code.load("r1", base, name === "nameEnd" ? offset + 8 : offset, width satisfies Width);
  code.store("r10", to, "r1", 8);
}

/**
 * Counts the bits of files->fdt->open_fds. The bitmap is no struct, so it is copied first (bpf_probe_read_kernel), and
 * its words are counted without branches: a branch for each would multiply the verifier's paths.
 */
function countOpenFiles(code: Assembler, btf: Btf): void {
  const words = countedFiles / 64;
  const result = recordAt + openFilesSlot * 8;
  code.load("r8", "r7", fieldOf(btf, "files", "task_struct", ["files"]).offset, 8);
  code.jumpIfEqual("r8", 0, "counted");
  code.load("r8", "r8", fieldOf(btf, "files", "files_struct", ["fdt"]).offset, 8);
  code.jumpIfEqual("r8", 0, "counted");
  code.load("r2", "r8", fieldOf(btf, "files", "fdtable", ["max_fds"]).offset, 4);
  code.jumpIfGreaterOrEqual("r2", countedFiles + 1, "too many files");
  code.shiftRight("r2", 3);
  code.move("r1", 0);
  for (let word = 0; word < words; word++) code.store("r10", bitmapAt + word * 8, "r1", 8);
  code.load("r3", "r8", fieldOf(btf, "files", "fdtable", ["open_fds"]).offset, 8);
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
