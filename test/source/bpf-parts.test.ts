import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { AgentError } from "../../agent/errors.ts";
import { createAssembler } from "../../agent/source/bpf/assembler.ts";
import { parseBtf } from "../../agent/source/bpf/btf.ts";
import { systemShare } from "../../agent/source/bpf/cpu-time.ts";
import { createIteratedProcesses } from "../../agent/source/bpf/iterated-processes.ts";
import { uncounted, words } from "../../agent/source/bpf/process-record.ts";
import { createRecordPool } from "../../agent/source/bpf/record-pool.ts";
import { commEnd, readRecords } from "../../agent/source/bpf/task-records.ts";
import { stateLetter } from "../../agent/source/bpf/task-state.ts";
import { makeBtf } from "./make-btf.ts";
import { writeRecord as write } from "./write-record.ts";

describe("type information", () => {
  const btf = parseBtf(makeBtf());

  test("members are found through typedefs, anonymous structs, embedded structs and arrays", () => {
    expect(btf.findField("task", "pid")).toMatchObject({ offset: 0, size: 4 });
    expect(btf.findField("task", "run")).toMatchObject({ offset: 16, size: 8 });
    expect(btf.findField("task", "entity.sum")).toMatchObject({ offset: 40, size: 8 });
    expect(btf.findField("task", "limits[2].sum")).toMatchObject({ offset: 48 + 2 * 16 + 8, size: 8 });
    expect(btf.findField("task", "parent")).toMatchObject({ offset: 8, size: 8 });
    expect(btf.findStructSize("entity")).toBe(16);
  });

  test("what is not there is undefined", () => {
    for (const path of ["nothing", "pid.more", "limits[3].sum", "entity.nothing", "", "a b"]) {
      expect(btf.findField("task", path)).toBeUndefined();
    }
    expect(btf.findField("nothing", "pid")).toBeUndefined();
    expect(btf.findEnumerator("NOTHING")).toBeUndefined();
    expect(btf.findFunctionId("nothing")).toBeUndefined();
  });

  test("enumerators and functions are found by name", () => {
    expect(btf.findEnumerator("SECOND")).toBe(7);
    expect(btf.findFunctionId("walk")).toBeGreaterThan(0);
  });

  test("cut or random bytes are an error or an answer, never a hang or a read out of range", () => {
    const whole = makeBtf();
    const look = (bytes: Buffer): void => {
      try {
        const parsed = parseBtf(bytes);
        parsed.findField("task", "entity.sum");
        parsed.findField("task", "limits[1].sum");
        parsed.findEnumerator("SECOND");
      } catch (error) {
        expect(error instanceof AgentError || error instanceof RangeError).toBe(true);
      }
    };
    for (let length = 0; length < whole.length; length++) look(whole.subarray(0, length));
    const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        look(bytes);
      }),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => look(Buffer.from(bytes))));
  });

  const vmlinux = "/sys/kernel/btf/vmlinux";
  const live = existsSync(vmlinux) ? test : test.skip;
  live("the running kernel's own is read", () => {
    const kernel = parseBtf(readFileSync(vmlinux));
    expect(kernel.findField("task_struct", "tgid")?.size).toBe(4);
    expect(kernel.findField("task_struct", "comm")?.size).toBe(16);
    expect(kernel.findEnumerator("BPF_PROG_TYPE_TRACING")).toBe(26);
    expect(kernel.findFunctionId("bpf_iter_task")).toBeGreaterThan(0);
  });
});

describe("the assembler", () => {
  const hex = (write: (code: ReturnType<typeof createAssembler>) => void): string => {
    const code = createAssembler();
    write(code);
    return code.assemble().toString("hex");
  };

  // As `llvm-mc -triple bpfel -filetype=obj` encodes the same lines.
  test.each<[string, (code: ReturnType<typeof createAssembler>) => void, string]>([
    ["r1 = r2", (code) => code.move("r1", "r2"), "bf21000000000000"],
    ["r0 = 0", (code) => code.move("r0", 0), "b700000000000000"],
    ["r2 += -8", (code) => code.add("r2", -8), "07020000f8ffffff"],
    ["r1 -= r2", (code) => code.subtract("r1", "r2"), "1f21000000000000"],
    ["r2 &= r3", (code) => code.and("r2", "r3"), "5f32000000000000"],
    ["r1 >>= 56", (code) => code.shiftRight("r1", 56), "7701000038000000"],
    ["r1 ^= r2", (code) => code.xor("r1", "r2"), "af21000000000000"],
    ["r1 *= r9", (code) => code.multiply("r1", "r9"), "2f91000000000000"],
    ["r1 = *(u32 *)(r7 + 1264)", (code) => code.load("r1", "r7", 1264, 4), "6171f00400000000"],
    ["r1 = *(u64 *)(r6 + 8)", (code) => code.load("r1", "r6", 8, 8), "7961080000000000"],
    ["*(u64 *)(r10 - 8) = r1", (code) => code.store("r10", -8, "r1", 8), "7b1af8ff00000000"],
    ["*(u8 *)(r10 - 1) = r2", (code) => code.store("r10", -1, "r2", 1), "732affff00000000"],
    [
      "r3 = 0x5555555555555555 ll",
      (code) => code.loadConstant("r3", 0x5555555555555555n),
      "18030000555555550000000055555555",
    ],
    [
      "r4 = the value of the map behind descriptor 7, 16 bytes on",
      (code) => code.loadMapValue("r4", 7, 16),
      "18240000070000000000000010000000",
    ],
    ["call 127", (code) => code.call(127), "850000007f000000"],
    ["call kernel function 0x12345", (code) => code.callKernelFunction(0x12345), "8520000045230100"],
    ["exit", (code) => code.exit(), "9500000000000000"],
  ])("%s", (_, write, encoded) => {
    expect(hex(write)).toBe(encoded);
  });

  test("jumps count from the next instruction, forwards and backwards", () => {
    const encoded = hex((code) => {
      code.label("top");
      code.jumpIfEqual("r1", 0, "end");
      code.jumpIfNotEqual("r1", "r2", "top");
      code.jumpIfGreaterOrEqual("r2", 5, "end");
      code.jump("top");
      code.label("end");
      code.exit();
    });
    expect(encoded).toBe(
      [
        "1501030000000000",
        "5d21feff00000000",
        "3502010005000000",
        "0500fcff00000000",
        "9500000000000000",
      ].join(""),
    );
  });

  test("a label that is missing, stands twice or is too far away is an error", () => {
    expect(() => hex((code) => code.jump("nowhere"))).toThrow("nowhere");
    expect(() =>
      hex((code) => {
        code.label("a");
        code.label("a");
      }),
    ).toThrow("twice");
    expect(() =>
      hex((code) => {
        code.jump("far");
        for (let index = 0; index < 33_000; index++) code.move("r0", 0);
        code.label("far");
      }),
    ).toThrow("too far");
  });
});

describe("records", () => {
  const create = () => {
    const pool = createRecordPool();
    const processes = createIteratedProcesses(pool);
    return { processes, records: readRecords(pool, processes) };
  };
  type Pass = ReturnType<typeof create>;
  /** A pass, in reads of at most so many bytes. */
  const readPass = ({ processes }: Pass, written: readonly Buffer[], mostBytes = 32 * 1024): void => {
    processes.begin();
    const bytes = Buffer.concat(written);
    for (let from = 0; from < bytes.length; from += mostBytes)
      processes.took(bytes.copy(processes.room(), 0, from, Math.min(bytes.length, from + mostBytes)));
    processes.finish();
  };
  const read = (...written: readonly Buffer[]): Pass => {
    const pass = create();
    readPass(pass, written);
    return pass;
  };

  test("each is found by its index", () => {
    const { records } = read(write({ processId: 9n }), write({ processId: 12n, unsummed: 1n }));
    expect(records.count()).toBe(2);
    const [first, second] = [records.at(0), records.at(1)];
    expect([first, second].map((record) => records.figure(record + words.processId))).toEqual([9, 12]);
    expect([first, second].map((record) => records.isSummed(record))).toEqual([true, false]);
    expect([...records.pids.subarray(0, 2)]).toEqual([9, 12]);
  });

  test("figures are unsigned, counters that fell below zero are 0, and a table too large is not counted", () => {
    const { records } = read(
      write({
        startTime: 2n ** 40n + 7n,
        filePages: 2n ** 64n - 3n,
        swapPages: 12n,
        openFiles: BigInt(uncounted),
      }),
    );
    const record = records.at(0);
    expect(records.figure(record + words.startTime)).toBe(2 ** 40 + 7);
    expect(records.positive(record + words.filePages)).toBe(0);
    expect(records.positive(record + words.swapPages)).toBe(12);
    expect(records.openFiles(record)).toBeNaN();
  });

  test("output that ends in the middle of a record is an error", () => {
    const record = write({ processId: 1n });
    expect(() => read(record.subarray(0, record.length - 8))).toThrow(RangeError);
  });

  test("a pass larger than all room is kept whole, however it is cut into reads", () => {
    const ones = Array.from({ length: 3000 }, (_, index) =>
      write({ processId: BigInt(index + 1), openFiles: BigInt(index % 7) }),
    );
    for (const mostBytes of [32 * 1024, 1000, 8]) {
      const pass = create();
      readPass(pass, ones, mostBytes);
      const { records } = pass;
      expect(records.count()).toBe(3000);
      for (let index = 0; index < 3000; index++) expect(records.openFiles(records.at(index))).toBe(index % 7);
    }
  });

  test("after all passes are forgotten no process is as before", () => {
    const one = write({ processId: 5n });
    const pass = read(one);
    readPass(pass, [one]);
    expect(pass.records.same[0]).toBe(1);
    pass.processes.clear();
    readPass(pass, [one]);
    expect([pass.records.count(), pass.records.same[0]]).toEqual([1, 0]);
  });

  test("one whose threads could not be summed is never as before", () => {
    const one = write({ processId: 5n, unsummed: 1n });
    const pass = read(one);
    readPass(pass, [one]);
    expect(pass.records.same[0]).toBe(0);
  });

  test("pass after pass, each process has the record that was written last, and is as before when no bit has changed", () => {
    const pass = fc.dictionary(fc.integer({ min: 1, max: 40 }).map(String), fc.nat(2), { maxKeys: 30 });
    fc.assert(
      fc.property(fc.array(pass, { minLength: 2, maxLength: 5 }), (passes) => {
        const one = create();
        const { records } = one;
        let before: Readonly<Record<string, number>> = {};
        for (const now of passes) {
          const pids = Object.keys(now).map(Number);
          const written = pids.map((pid) =>
            write({ processId: BigInt(pid), writtenBytes: BigInt(now[pid] ?? 0) }),
          );
          readPass(one, written, 640);
          expect([...records.pids.subarray(0, records.count())]).toEqual(pids);
          for (const [index, pid] of pids.entries()) {
            expect(records.figure(records.at(index) + words.writtenBytes)).toBe(now[pid]);
            expect(records.same[index]).toBe(Number(before[pid] === now[pid]));
          }
          before = now;
        }
      }),
    );
  });

  test("a name ends at its first NUL, or is sixteen bytes long", () => {
    expect(commEnd(Buffer.from("nginx\0\0\0\0\0\0\0\0\0\0\0"), 0)).toBe(5);
    expect(commEnd(Buffer.from("a".repeat(40)), 3)).toBe(19);
  });
});

test.each([
  [0, 0, "R"],
  [1, 0, "S"],
  [2, 0, "D"],
  [4, 0, "T"],
  [8, 0, "t"],
  [0, 0x10, "X"],
  [0, 0x20, "Z"],
  [0x40, 0, "P"],
  [0x402, 0, "I"],
  [0x2001, 0, "S"],
])("state %i with exit state %i is %s", (state, exitState, letter) => {
  expect(String.fromCharCode(stateLetter(state, exitState))).toBe(letter);
});

test("CPU time adds up to the scheduler's, split as the ticks fell", () => {
  expect(systemShare(4e9, 3e9, 1e9)).toBe(1e9);
  expect(systemShare(2e9, 0, 5)).toBe(2e9);
  expect(systemShare(2e9, 5, 0)).toBe(0);
  expect(systemShare(1e9, 0, 0)).toBe(0);
});
