import { spawnSync } from "node:child_process";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, expect, test } from "@jest/globals";
import { createGuardedReader, type GuardedReader } from "../../agent/source/procfs/guarded-reader.ts";
import { waitFor } from "../support/wait-for.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "pidward-guarded-"));
let reader: GuardedReader | undefined;
afterEach(() => reader?.close());
afterAll(() => rmSync(folder, { recursive: true }));

const file = path.join(folder, "file");
writeFileSync(file, Buffer.alloc(200_000, "abc"));

/** Opening a FIFO hangs until somebody opens its other end. */
function makeFifo(name: string): string {
  const fifo = path.join(folder, name);
  spawnSync("mkfifo", [fifo]);
  return fifo;
}

/** Lets go whoever hangs in opening it. */
function release(fifo: string): void {
  // Never blocks, unlike opening the one end only.
  openSync(fifo, "r+");
}

test("files are read whole or cut, and what cannot be read is told as by others", () => {
  reader = createGuardedReader(10_000);
  expect(reader.read("/proc/self/cmdline", 1 << 20)).toEqual(expect.any(Buffer));
  expect(reader.read(file, 1 << 20)).toHaveLength(200_000);
  expect(reader.read(file, 100_000)).toEqual(Buffer.alloc(100_000, "abc"));
  expect(reader.read(file, 5).toString()).toBe("abcab");
  expect(reader.read(path.join(folder, "none"), 10)).toBe("gone");
  expect(reader.read("/proc/1/task/999999999/cmdline", 10)).toBe("gone");
  expect(reader.read(folder, 10)).toBe("unreadable");
});

test("one that hangs is given up, others are read, and those who hang are few and are used again", async () => {
  const guarded = createGuardedReader(200, 2);
  reader = guarded;
  const fifos = [makeFifo("a"), makeFifo("b")];
  expect(fifos.map((fifo) => guarded.read(fifo, 10))).toEqual(["late", "late"]);
  expect(guarded.read(file, 3)).toBe("busy");
  release(fifos[0] ?? "");
  await waitFor("it to be let go", () => guarded.read(file, 3).toString() === "abc");
  const third = makeFifo("c");
  expect(guarded.read(third, 10)).toBe("late");
  expect(guarded.read(file, 3)).toBe("busy");
  // Node waits at its end for its threads.
  for (const fifo of [...fifos, third]) release(fifo);
  await waitFor("all to be let go", () => guarded.read(file, 3).toString() === "abc");
});

test("several are read in one wait, each with its own content or failure", () => {
  const guarded = createGuardedReader(10_000);
  reader = guarded;
  const [none, small] = [path.join(folder, "none"), path.join(folder, "small")];
  writeFileSync(small, "small");
  expect(guarded.readAll([small, none, folder, file, small], 8)).toEqual([
    Buffer.from("small"),
    "gone",
    "unreadable",
    Buffer.from("abcabcab"),
    Buffer.from("small"),
  ]);
  expect(guarded.read(small, 100).toString()).toBe("small");
});

test("of too many the first are read", () => {
  const guarded = createGuardedReader(10_000);
  reader = guarded;
  // Eight times 8 KiB is all the room that there is, and paths have as little.
  expect(guarded.readAll(Array(20).fill(file), 8_192)).toHaveLength(8);
  expect(guarded.readAll(Array(1_000).fill("/proc/1/comm"), 16)).toHaveLength(128);
  const long = `/proc/1/${"./".repeat(1_000)}comm`;
  expect(guarded.readAll(Array(4).fill(long), 16)).toHaveLength(2);
});

test("one among several that hangs ends them, and what came before it is there", async () => {
  const guarded = createGuardedReader(200, 1);
  reader = guarded;
  const fifo = makeFifo("d");
  expect(guarded.readAll([file, fifo, file], 3)).toEqual([Buffer.from("abc"), "late"]);
  expect([file, fifo].map(guarded.isHanging)).toEqual([false, true]);
  expect(guarded.readAll([file], 3)).toEqual(["busy"]);
  release(fifo);
  await waitFor("it to be let go", () => !guarded.isHanging(fifo));
  await waitFor("its thread to be used again", () => guarded.readAll([file], 3)[0]?.toString() === "abc");
});
