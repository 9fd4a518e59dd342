import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { createAioReader } from "../../agent/source/procfs/aio-reader.ts";
import type { GuardedReader } from "../../agent/source/procfs/guarded-reader.ts";
import { createThreadReader } from "../../agent/source/procfs/thread-reader.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";
import { waitFor } from "../support/wait-for.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-guarded-"));
let syscalls: Syscalls;
beforeAll(async () => {
  syscalls = await loadSyscalls();
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = path.join(folder, "file");
writeFileSync(file, Buffer.alloc(200_000, "abc"));

/** A file in which one hangs, and what lets go. */
interface Trap {
  readonly path: string;
  release(): void;
}

function makeFifo(name: string): string {
  const fifo = path.join(folder, name);
  spawnSync("mkfifo", [fifo]);
  return fifo;
}

/** Opening a FIFO hangs until somebody opens its other end. */
function hangInOpening(name: string): Trap {
  const fifo = makeFifo(name);
  // Opening both ends never hangs, unlike opening one.
  return { path: fifo, release: () => void openSync(fifo, "r+") };
}

/** Reading a FIFO whose other end is open hangs until something is written. */
function hangInReading(name: string): Trap {
  const fifo = makeFifo(name);
  const end = openSync(fifo, "r+");
  return { path: fifo, release: () => void writeSync(end, "at last") };
}

type Create = (limits?: { readMs: number; mostHung: number }) => GuardedReader;
const idleMs = 10_000;
const kinds: readonly (readonly [string, Create, (name: string) => Trap])[] = [
  ["by a thread of Node's", (limits) => createThreadReader(limits && { ...limits, idleMs }), hangInOpening],
  [
    "by the C library's",
    (limits) => {
      if (syscalls.aio === undefined) throw new Error("this C library has no aio(7)");
      return createAioReader(syscalls.files, syscalls.aio, limits);
    },
    hangInReading,
  ],
];

describe.each(kinds)("%s", (kind, create, makeTrap) => {
  const readers: GuardedReader[] = [];
  const make: Create = (limits) => {
    const reader = create(limits);
    readers.push(reader);
    return reader;
  };
  afterEach(() => {
    for (const reader of readers.splice(0)) reader.close();
  });
  const trap = (name: string): Trap => makeTrap(`${kind.replaceAll(/\W/g, "-")}-${name}`);

  test("files are read whole or cut, and what cannot be read is told as by others", () => {
    const reader = make({ readMs: 10_000, mostHung: 1 });
    expect(reader.read("/proc/self/cmdline", 1 << 20)).toEqual(expect.any(Buffer));
    expect(reader.read(file, 1 << 20)).toEqual(Buffer.alloc(200_000, "abc"));
    expect(reader.read(file, 100_000)).toEqual(Buffer.alloc(100_000, "abc"));
    const first = reader.read(file, 5);
    reader.read("/proc/self/comm", 5);
    // A copy.
    expect(first.toString()).toBe("abcab");
    expect(reader.read(path.join(folder, "none"), 10)).toBe("gone");
    expect(reader.read("/proc/1/task/999999999/cmdline", 10)).toBe("gone");
    expect(reader.read(folder, 10)).toBe("unreadable");
  });

  test("one that hangs is given up, others are read, and those who hang are few and are used again", async () => {
    const reader = make({ readMs: 200, mostHung: 2 });
    const traps = [trap("a"), trap("b")];
    // Who asks again takes no other thread.
    const [a = file, b = file] = traps.map((one) => one.path);
    expect([a, a, b, a].map((one) => reader.read(one, 10))).toEqual(Array(4).fill("late"));
    expect(reader.read(file, 3)).toBe("busy");
    expect([...traps, { path: file }].map((one) => reader.isHanging(one.path))).toEqual([true, true, false]);
    traps[0]?.release();
    await waitFor("it to be let go", () => !reader.isHanging(traps[0]?.path ?? ""));
    expect(reader.isHanging(traps[1]?.path ?? "")).toBe(true);
    expect(reader.read(file, 3).toString()).toBe("abc");
    const third = trap("c");
    expect(reader.read(third.path, 10)).toBe("late");
    expect(reader.read(file, 3)).toBe("busy");
    // Node waits at its end for its threads.
    for (const one of [traps[1], third]) one?.release();
    await waitFor(
      "all to be let go",
      () => ![traps[1], third].some((one) => reader.isHanging(one?.path ?? "")),
    );
    expect(reader.read(file, 3).toString()).toBe("abc");
  });

  test("no descriptor is left behind, whatever became of the reading", async () => {
    const reader = make({ readMs: 200, mostHung: 2 });
    reader.read(file, 3);
    const held = trap("d");
    const before = openFiles();
    for (const one of [file, folder, path.join(folder, "none"), held.path]) reader.read(one, 3);
    held.release();
    await waitFor("it to be let go", () => !reader.isHanging(held.path));
    // What releases a trap may stay open.
    await waitFor("all to be closed", () => openFiles() <= before + 1);
  });
});

function openFiles(): number {
  const fds = readdirSync("/proc/self/fd");
  return fds.length;
}

test("a thread of Node's that has nothing to do is ended, and another is started when it is needed", async () => {
  const threads = () => readdirSync("/proc/self/task").length;
  const before = threads();
  const reader = createThreadReader({ readMs: 10_000, mostHung: 1, idleMs: 100 });
  expect(reader.read(file, 3).toString()).toBe("abc");
  expect(threads()).toBeGreaterThan(before);
  await waitFor("its end", () => threads() <= before);
  expect(reader.read(file, 3).toString()).toBe("abc");
  reader.close();
});

test("a slot holds one read at a time, of no more than it has room for", () => {
  const slot = syscalls.aio?.createSlot(8);
  const fd = openSync(file, "r");
  expect(() => slot?.begin(fd, 0, 9)).toThrow("9 bytes do not fit into 8");
  expect(slot?.begin(fd, 1, 8)).toBe(0);
  expect(slot?.wait(10_000)).toBe(8);
  expect(slot?.bytes.toString()).toBe("bcabcabc");
  closeSync(fd);
  expect(slot?.begin(fd, 0, 8)).toBe(0);
  expect(slot?.wait(10_000)).toBe(-os.constants.errno.EBADF);
  const { path: held, release } = hangInReading("slot");
  const hanging = openSync(held, "r");
  expect(slot?.begin(hanging, 0, 8)).toBe(0);
  expect(slot?.wait(1)).toBeUndefined();
  expect(() => slot?.begin(hanging, 0, 8)).toThrow("a read is under way");
  release();
  expect(slot?.wait(10_000)).toBe(7);
  closeSync(hanging);
});
