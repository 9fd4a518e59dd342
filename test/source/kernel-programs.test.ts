import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { AgentError } from "../../agent/errors.ts";
import { type Btf, parseBtf } from "../../agent/source/bpf/btf.ts";
import { assembleExitProgram, assembleFreeProgram } from "../../agent/source/bpf/exit-program.ts";
import { assembleProcessWalk } from "../../agent/source/bpf/process-walk.ts";
import { assembleTaskIterator } from "../../agent/source/bpf/task-iterator.ts";
import { threadVisitOf } from "../../agent/source/bpf/thread-sums.ts";

/** Type information of real kernels, cut to what the programs look into by test/kernels/trim-btf.mjs. */
function captured(release: string): Buffer {
  return readFileSync(path.join(__dirname, `../fixtures/btf/linux-${release}.btf`));
}

const kernel61 = parseBtf(captured("6.1"));
const kernel618 = parseBtf(captured("6.18"));
const maps = { ringFd: 3, lostFd: 4 };

/** `call` of a kernel function by its BTF id: opcode 0x85, source register 2. */
function callsKernelFunction(program: Buffer, id: number): boolean {
  for (let at = 0; at < program.length; at += 8) {
    if (
      program[at] === 0x85 &&
      (program.readUInt8(at + 1) ?? 0) >> 4 === 2 &&
      program.readInt32LE(at + 4) === id
    )
      return true;
  }
  return false;
}

/** Whether the program copies from so many bytes behind r8: `r3 = r8; r3 += offset`. */
function copiesFrom(program: Buffer, offset: number): boolean {
  for (let at = 8; at < program.length; at += 8) {
    const isAdded = program.readUInt16LE(at) === 0x0307 && program.readInt32LE(at + 4) === offset;
    if (isAdded && program.readUInt16LE(at - 8) === 0x83bf) return true;
  }
  return false;
}

test("every program can be assembled for every captured kernel", () => {
  for (const btf of [kernel61, kernel618]) {
    for (const program of [
      assembleTaskIterator(btf),
      assembleExitProgram(btf, maps),
      assembleFreeProgram(btf, maps),
    ]) {
      expect(program.length % 8).toBe(0);
      expect(program.subarray(-8).toString("hex")).toBe("9500000000000000");
    }
  }
});

test("processes are gone through in one call where the kernel has an iterator of them for programs, and else it is an error", () => {
  const program = assembleProcessWalk(kernel618, 5);
  for (const name of ["bpf_rcu_read_lock", "bpf_iter_task_next", "bpf_task_release", "bpf_rcu_read_unlock"])
    expect(callsKernelFunction(program, kernel618.findFunctionId(name) ?? -1)).toBe(true);
  expect(() => assembleProcessWalk(kernel61, 5)).toThrow("no iterator of processes");
});

test("threads are iterated where the kernel can, and walked where it cannot", () => {
  expect(threadVisitOf(kernel618)).toBe("iterate");
  expect(threadVisitOf(kernel61)).toBe("walk");
  const next = kernel618.findFunctionId("bpf_iter_task_next") ?? -1;
  expect(callsKernelFunction(assembleTaskIterator(kernel618), next)).toBe(true);
  expect(callsKernelFunction(assembleTaskIterator(kernel618, "walk"), next)).toBe(false);
  expect(kernel61.findFunctionId("bpf_iter_task_next")).toBeUndefined();
});

test("counts of pages are percpu counters since 6.2, and a struct of atomics before, which has to be copied", () => {
  expect(kernel618.findField("mm_struct", "rss_stat[1].count")?.size).toBe(8);
  expect(kernel61.findField("mm_struct", "rss_stat[1].count")).toBeUndefined();
  expect(kernel61.findField("mm_struct", "rss_stat.count[1].counter")?.size).toBe(8);
  const program = assembleTaskIterator(kernel61);
  for (const index of [0, 1, 2, 3]) {
    const { offset = -1 } = kernel61.findField("mm_struct", `rss_stat.count[${index}].counter`) ?? {};
    expect(copiesFrom(program, offset)).toBe(true);
  }
});

test("the tracepoint of an end tells newer kernels' programs which thread is the last", () => {
  expect(kernel618.findTracepoint("sched_process_exit")?.parameters).toBe(2);
  expect(kernel61.findTracepoint("sched_process_exit")?.parameters).toBe(1);
});

describe("a kernel that is not as expected", () => {
  const without = (name: string): Buffer =>
    Buffer.from(
      captured("6.18")
        .toString("latin1")
        .replaceAll(`\0${name}\0`, `\0${"x".repeat(name.length)}\0`),
      "latin1",
    );

  test.each(["nr_threads", "start_boottime", "real_parent", "sum_exec_runtime"])(
    "without %s it is an error that names the field",
    (name) => {
      const assemble = () => assembleTaskIterator(parseBtf(without(name)));
      expect(assemble).toThrow(AgentError);
      expect(assemble).toThrow(name);
    },
  );

  test("without accounting of I/O the rest is read", () => {
    expect(assembleTaskIterator(parseBtf(without("ioac"))).length).toBeGreaterThan(0);
  });

  test("cut or changed bytes are an error or a program, never a hang or a read out of range", () => {
    const wholes = [captured("6.1"), captured("6.18")];
    const assemblers = [
      assembleTaskIterator,
      (btf: Btf) => assembleProcessWalk(btf, 5),
      (btf: Btf) => assembleExitProgram(btf, maps),
    ];
    const look = (bytes: Buffer): void => {
      for (const assemble of assemblers) {
        try {
          assemble(parseBtf(bytes));
        } catch (error) {
          // By name: what Node's own Buffer throws is of another realm than the test's.
          expect(["AgentError", "RangeError"]).toContain((error as Error).name);
        }
      }
    };
    const change = fc.tuple(
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat({ max: 255 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...wholes),
        fc.array(change, { minLength: 1, maxLength: 12 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (whole, changes, length) => {
          const bytes = Buffer.from(whole);
          for (const [at, value] of changes) bytes[Math.floor(at * whole.length)] = value;
          look(bytes);
          look(bytes.subarray(0, length * whole.length));
        },
      ),
      { numRuns: 60 },
    );
  });
});
