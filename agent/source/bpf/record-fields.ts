import { AgentError } from "../../errors.ts";
import type { Assembler, Register, Width } from "./assembler.ts";
import type { Btf, Field } from "./btf.ts";

/** Where a field's struct comes from: the thread itself, or what it points to. */
export type Origin =
  | "task"
  | "parent"
  | "credentials"
  | "signal"
  | "memory"
  | "defaultCgroup"
  | "memoryCgroup";

/** One figure of a record: a member of a kernel struct, in a slot of eight bytes. */
export interface RecordField {
  readonly origin: Origin;
  readonly struct: string;
  /** Tried in this order: members are renamed between kernels. */
  readonly paths: readonly string[];
  /**
   * Tried after `paths`, and copied with bpf_probe_read_kernel(): the verifier lets no program load a member that is a
   * struct of its own, such as an atomic_long_t.
   */
  readonly copied?: readonly string[];
  /** A kernel without it gives 0. */
  readonly optional?: true;
}

/** Fields of one struct. */
export function fieldsOf(origin: Origin, struct: string): (...paths: readonly string[]) => RecordField {
  return (...paths) => ({ origin, struct, paths });
}

export const taskField = fieldsOf("task", "task_struct");
export const signalField = fieldsOf("signal", "signal_struct");

/** A kernel that is built without accounting of I/O (CONFIG_TASK_IO_ACCOUNTING) gives 0. */
function optional(field: RecordField): RecordField {
  return { ...field, optional: true };
}

/** Who a process is and where it belongs, read from any of its threads. */
export const identityFields = {
  nameFrom: taskField("comm"),
  nameEnd: taskField("comm"),
  parentId: fieldsOf("parent", "task_struct")("tgid"),
  userId: fieldsOf("credentials", "cred")("euid.val"),
  defaultCgroup: fieldsOf("defaultCgroup", "kernfs_node")("id"),
  memoryCgroup: fieldsOf("memoryCgroup", "kernfs_node")("id"),
} as const satisfies Record<string, RecordField>;

/** How far a thread is in its life. */
export const lifeFields = {
  state: taskField("__state", "state"),
  exitState: taskField("exit_state"),
  startTime: taskField("start_boottime", "real_start_time"),
} as const satisfies Record<string, RecordField>;

/** What a thread used; the same members of `signal_struct` hold the share of threads that have ended. */
export const usageFields = {
  userTime: taskField("utime"),
  systemTime: taskField("stime"),
  runTime: taskField("se.sum_exec_runtime"),
  minorFaults: taskField("min_flt"),
  majorFaults: taskField("maj_flt"),
  voluntarySwitches: taskField("nvcsw"),
  involuntarySwitches: taskField("nivcsw"),
  readBytes: optional(taskField("ioac.read_bytes")),
  writtenBytes: optional(taskField("ioac.write_bytes")),
} as const satisfies Record<string, RecordField>;

/** In the order of `usageFields`. */
export const endedUsageFields = {
  deadUserTime: signalField("utime"),
  deadSystemTime: signalField("stime"),
  deadRunTime: signalField("sum_sched_runtime"),
  deadMinorFaults: signalField("min_flt"),
  deadMajorFaults: signalField("maj_flt"),
  deadVoluntarySwitches: signalField("nvcsw"),
  deadInvoluntarySwitches: signalField("nivcsw"),
  deadReadBytes: optional(signalField("ioac.read_bytes")),
  deadWrittenBytes: optional(signalField("ioac.write_bytes")),
} as const satisfies Record<string, RecordField>;

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

/** enum bpf_func_id of include/uapi/linux/bpf.h: helpers keep their numbers. */
export const BPF_FUNC_probe_read_kernel = 113;

/** A field and the offset of its slot from the frame's end (r10). */
export interface PlacedField {
  readonly name: string;
  readonly field: RecordField;
  readonly at: number;
}

/**
 * Writes the code that copies fields to their slots; each origin's pointers are followed once. A null pointer on the
 * way leaves the slots as they are. Uses r0–r5 and r8.
 * @param task the register that holds the thread
 * @throws AgentError `unavailable` that names the field which this kernel has not
 */
export function writeFields(
  code: Assembler,
  btf: Btf,
  task: Register,
  placed: readonly PlacedField[],
  label: string,
): void {
  const controller = btf.findEnumerator("memory_cgrp_id");
  for (const origin of new Set(placed.map(({ field }) => field.origin))) {
    const own = placed.filter(({ field }) => field.origin === origin);
    if (origin === "task") {
      for (const one of own) writeField(code, btf, task, one);
      continue;
    }
    // A v2-only kernel can be built without the controller.
    if (origin === "memoryCgroup" && controller === undefined) continue;
    code.move("r8", task);
    for (const [struct, member] of pathTo(origin, controller)) {
      code.load("r8", "r8", getField(btf, origin, struct, [member]).offset, 8);
      code.jumpIfEqual("r8", 0, `${label} without ${origin}`);
    }
    for (const one of own) writeField(code, btf, "r8", one);
    code.label(`${label} without ${origin}`);
  }
}

/** @throws AgentError `unavailable` that names the field which this kernel has not */
export function getField(btf: Btf, name: string, struct: string, paths: readonly string[]): Field {
  const found = findField(btf, struct, paths);
  if (found === undefined) {
    throw new AgentError("unavailable", `this kernel has no ${struct}.${paths.join(" or .")} (${name})`);
  }
  return found;
}

function findField(btf: Btf, struct: string, paths: readonly string[]): Field | undefined {
  for (const path of paths) {
    const field = btf.findField(struct, path);
    if (field !== undefined) return field;
  }
  return undefined;
}

function writeField(code: Assembler, btf: Btf, base: Register, { name, field, at }: PlacedField): void {
  const { struct, paths, copied = [] } = field;
  const direct = findField(btf, struct, paths);
  const toCopy = direct === undefined ? findField(btf, struct, copied) : undefined;
  if (toCopy !== undefined) {
    code.move("r1", "r10");
    code.add("r1", at);
    code.move("r2", toCopy.size);
    code.move("r3", base);
    code.add("r3", toCopy.offset);
    code.call(BPF_FUNC_probe_read_kernel);
    return;
  }
  if (direct === undefined && field.optional === true) return;
  const { offset, size } = direct ?? getField(btf, name, struct, [...paths, ...copied]);
  // `comm` is sixteen bytes: two slots.
  const isName = name === "nameFrom" || name === "nameEnd";
  code.load("r1", base, name === "nameEnd" ? offset + 8 : offset, widthOf(isName ? 8 : size, struct, name));
  code.store("r10", at, "r1", 8);
}

/** @throws AgentError `unavailable` for a size that no register holds */
export function widthOf(size: number, struct: string, name: string): Width {
  if (size === 1 || size === 2 || size === 4 || size === 8) return size;
  throw new AgentError("unavailable", `this kernel has ${struct}.${name} in a form of ${size} bytes`);
}
