import { AgentError } from "../../errors.ts";
import { type Assembler, createAssembler } from "./assembler.ts";
import type { Btf } from "./btf.ts";
import {
  endedUsageFields,
  getField,
  identityFields,
  type PlacedField,
  taskField,
  usageFields,
  widthOf,
  writeFields,
} from "./record-fields.ts";

/** How far up a process's ancestors are noted: enough to meet one that a scan has seen. */
export const ancestorCount = 4;

const usageNames = Object.keys(usageFields) as (keyof typeof usageFields)[];
const identityNames = Object.keys(identityFields) as (keyof typeof identityFields)[];

/**
 * Slots of eight bytes, in this order. What a process used when the kernel let go of it ends behind `usage`; what is
 * noted at its end has the rest.
 */
const slotNames = [
  "processId",
  /** Nanoseconds since boot, as `start_boottime`. */
  "startTime",
  ...usageNames,
  /** Nanoseconds since boot, time asleep included. */
  "endTime",
  /** Nanoseconds of CLOCK_MONOTONIC, to tell how long ago that was. */
  "endClock",
  /** As wait(2) gives it. */
  "status",
  /** The memory that the OOM killer wanted back from it, or 0. */
  "oomMemory",
  ...identityNames,
] as const;
export type ExitSlot = (typeof slotNames)[number];

const usageSlots = 2 + usageNames.length;
const ownSlots = slotNames.length;
/** PID, start, and two slots of name, for each ancestor. */
export const ancestorSlots = 4;
const exitSlots = ownSlots + ancestorCount * ancestorSlots;

/** Where each figure is, in words of four bytes from the beginning of a record. */
export const exitWords = Object.fromEntries(slotNames.map((name, slot) => [name, slot * 2])) as Readonly<
  Record<ExitSlot, number>
>;
export const ancestorsWord = ownSlots * 2;

const recordAt = -exitSlots * 8;
const slotAt = (name: ExitSlot): number => recordAt + slotNames.indexOf(name) * 8;
/** The key of the counter map, in front of the record. */
const keyAt = recordAt - 8;

// enum bpf_func_id of include/uapi/linux/bpf.h
const BPF_FUNC_map_lookup_elem = 1;
const BPF_FUNC_ktime_get_ns = 5;
const BPF_FUNC_ktime_get_boot_ns = 125;
const BPF_FUNC_ringbuf_output = 130;
/** The agent looks by itself: nobody has to be woken. */
const BPF_RB_NO_WAKEUP = 1;

// include/linux/sched.h, include/linux/sched/signal.h
const PF_KTHREAD = 0x00200000;
const SIGNAL_GROUP_EXIT = 4;

/** Where programs write to. */
export interface ExitMaps {
  readonly ringFd: number;
  /** Counts records that found no room. */
  readonly lostFd: number;
}

/**
 * The program at `sched_process_exit`: when the last thread of a process ends, it writes who that was, how it ended,
 * what it had used, and its ancestors. The tracepoint comes for every thread; kernels that tell its probes which is
 * the last have two arguments, on others `signal->live` has become 0, which two threads can both see.
 */
export function assembleExitProgram(btf: Btf, maps: ExitMaps): Buffer {
  const code = createAssembler();
  const { parameters } = btf.findTracepoint("sched_process_exit") ?? { parameters: 0 };
  if (parameters === 0)
    throw new AgentError("unavailable", "this kernel has no tracepoint sched_process_exit");
  begin(code, btf);
  if (parameters > 1) {
    code.load("r1", "r6", 8, 8);
    code.jumpIfEqual("r1", 0, "end");
  } else {
    code.load("r8", "r7", getField(btf, "signal", "task_struct", ["signal"]).offset, 8);
    code.load("r1", "r8", getField(btf, "live", "signal_struct", ["live.counter"]).offset, 4);
    code.jumpIfNotEqual("r1", 0, "end");
  }
  // r9 the first thread, whose start is the process's; the last to end may be another.
  code.load("r9", "r7", getField(btf, "group_leader", "task_struct", ["group_leader"]).offset, 8);
  code.jumpIfEqual("r9", 0, "end");
  writeFields(code, btf, "r9", [place("startTime", startField)], "start");
  writeFields(code, btf, "r9", [place("nameFrom"), place("nameEnd")], "name");
  const rest = identityNames.filter((name) => !name.startsWith("name")).map((name) => place(name));
  writeFields(code, btf, "r7", [place("processId", taskField("tgid")), ...rest], "process");
  code.load("r8", "r7", getField(btf, "signal", "task_struct", ["signal"]).offset, 8);
  addUsage(code, btf, "ended");
  code.move("r8", "r7");
  addUsage(code, btf, "thread");
  code.jumpIfEqual("r7", "r9", "summed");
  code.move("r8", "r9");
  addUsage(code, btf, "thread");
  code.label("summed");
  writeEnd(code, btf);
  writeAncestors(code, btf);
  output(code, maps, exitSlots);
  return code.assemble();
}

/**
 * The program at `sched_process_free`: what the whole process used, exactly, some milliseconds after its end. (When a
 * process ends, its time since the last tick or switch is not booked yet, which is all of it for a short life.)
 */
export function assembleFreeProgram(btf: Btf, maps: ExitMaps): Buffer {
  const code = createAssembler();
  begin(code, btf);
  // An exec by another thread frees the former first one under the other's number: it is no process any more.
  code.load("r1", "r7", getField(btf, "pid", "task_struct", ["pid"]).offset, 4);
  code.load("r2", "r7", getField(btf, "tgid", "task_struct", ["tgid"]).offset, 4);
  code.jumpIfNotEqual("r1", "r2", "end");
  const own = [place("processId", taskField("tgid")), place("startTime", startField)];
  writeFields(code, btf, "r7", own, "process");
  // The first thread has been added to those that have ended, too.
  code.load("r8", "r7", getField(btf, "signal", "task_struct", ["signal"]).offset, 8);
  code.jumpIfEqual("r8", 0, "end");
  addUsage(code, btf, "ended");
  output(code, maps, usageSlots);
  return code.assemble();
}

const startField = taskField("start_boottime", "real_start_time");

function place(name: ExitSlot, field = identityFields[name as keyof typeof identityFields]): PlacedField {
  return { name, field, at: slotAt(name) };
}

/** r6 the arguments, r7 the thread, the record zeroed; kernel threads are left out. */
function begin(code: Assembler, btf: Btf): void {
  code.move("r6", "r1");
  code.load("r7", "r6", 0, 8);
  code.load("r1", "r7", getField(btf, "flags", "task_struct", ["flags"]).offset, 4);
  code.and("r1", PF_KTHREAD);
  code.jumpIfNotEqual("r1", 0, "end");
  code.move("r1", 0);
  for (let at = keyAt; at < 0; at += 8) code.store("r10", at, "r1", 8);
}

/** Adds to the slots what r8 has: a thread, or the signal_struct with the share of those that have ended. */
function addUsage(code: Assembler, btf: Btf, from: "thread" | "ended"): void {
  const fields = Object.values(from === "thread" ? usageFields : endedUsageFields);
  for (const [index, name] of usageNames.entries()) {
    const field = fields[index];
    const found = field && btf.findField(field.struct, field.paths[0] ?? "");
    if (field === undefined || (found === undefined && field.optional === true)) continue;
    const { offset, size } = found ?? getField(btf, name, field.struct, field.paths);
    code.load("r1", "r8", offset, widthOf(size, field.struct, name));
    code.load("r2", "r10", slotAt(name), 8);
    code.add("r2", "r1");
    code.store("r10", slotAt(name), "r2", 8);
  }
}

/** Time, status, and whether the OOM killer did it. @see get_signal() and do_group_exit() of the kernel */
function writeEnd(code: Assembler, btf: Btf): void {
  const signal = (name: string) => getField(btf, name, "signal_struct", [name]).offset;
  code.load("r8", "r7", getField(btf, "signal", "task_struct", ["signal"]).offset, 8);
  code.load("r1", "r8", signal("flags"), 4);
  code.and("r1", SIGNAL_GROUP_EXIT);
  code.jumpIfEqual("r1", 0, "ended alone");
  code.load("r2", "r8", signal("group_exit_code"), 4);
  code.jump("status");
  code.label("ended alone");
  code.load("r2", "r9", getField(btf, "exit_code", "task_struct", ["exit_code"]).offset, 4);
  code.label("status");
  code.store("r10", slotAt("status"), "r2", 8);
  const oomMemory = btf.findField("signal_struct", "oom_mm");
  if (oomMemory !== undefined) {
    code.load("r1", "r8", oomMemory.offset, 8);
    code.jumpIfEqual("r1", 0, "no victim");
    code.move("r1", 1);
    code.store("r10", slotAt("oomMemory"), "r1", 8);
    code.label("no victim");
  }
  code.call(BPF_FUNC_ktime_get_boot_ns);
  code.store("r10", slotAt("endTime"), "r0", 8);
  code.call(BPF_FUNC_ktime_get_ns);
  code.store("r10", slotAt("endClock"), "r0", 8);
}

function writeAncestors(code: Assembler, btf: Btf): void {
  const parent = getField(btf, "real_parent", "task_struct", ["real_parent"]).offset;
  code.move("r9", "r7");
  for (let index = 0; index < ancestorCount; index++) {
    const at = recordAt + (ownSlots + index * ancestorSlots) * 8;
    code.load("r9", "r9", parent, 8);
    code.jumpIfEqual("r9", 0, "no more ancestors");
    const fields: readonly PlacedField[] = [
      { name: "processId", field: taskField("tgid"), at },
      { name: "startTime", field: startField, at: at + 8 },
      { name: "nameFrom", field: identityFields.nameFrom, at: at + 16 },
      { name: "nameEnd", field: identityFields.nameEnd, at: at + 24 },
    ];
    writeFields(code, btf, "r9", fields, `ancestor ${index}`);
  }
  code.label("no more ancestors");
}

/** Puts the record into the ring; where there is no room, counts it. */
function output(code: Assembler, { ringFd, lostFd }: ExitMaps, slots: number): void {
  code.loadMap("r1", ringFd);
  code.move("r2", "r10");
  code.add("r2", recordAt);
  code.move("r3", slots * 8);
  code.move("r4", BPF_RB_NO_WAKEUP);
  code.call(BPF_FUNC_ringbuf_output);
  code.jumpIfEqual("r0", 0, "end");
  code.loadMap("r1", lostFd);
  code.move("r2", "r10");
  code.add("r2", keyAt);
  code.call(BPF_FUNC_map_lookup_elem);
  code.jumpIfEqual("r0", 0, "end");
  code.move("r1", 1);
  code.addAtomically("r0", 0, "r1");
  code.label("end");
  code.move("r0", 0);
  code.exit();
}
