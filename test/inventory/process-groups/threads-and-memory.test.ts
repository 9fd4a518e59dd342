import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Members } from "../../../agent/inventory/process-groups/groups.ts";
import { createProportionalSums } from "../../../agent/inventory/process-groups/proportional-sums.ts";
import { createThreadSums } from "../../../agent/inventory/process-groups/thread-sums.ts";
import { createBlockingReader } from "../../../agent/source/procfs/blocking-reader.ts";
import { parseSmapsRollup } from "../../../agent/source/procfs/smaps-rollup.ts";
import { createTaskReader } from "../../../agent/source/procfs/task-files.ts";
import { waitFor } from "../../support/wait-for.ts";
import { GroupScene } from "./scenes.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), "pidward-proc-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}

function writeTask(pid: number, id: number, name: string, userTicks: number, state = "S"): void {
  const folder = `${pid}/task/${id}`;
  write(
    `${folder}/stat`,
    `${id} (${name}) ${state} 1 1 1 0 -1 0 5 0 2 0 ${userTicks} 30 0 0 20 0 1 0 ${id} 0 0`,
  );
  write(`${folder}/status`, "voluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t1\n");
  write(`${folder}/io`, "read_bytes: 10\nwrite_bytes: 20\n");
  write(`${folder}/wchan`, state === "S" ? "futex_wait" : "0");
}

/** A group `a` of PID 10 with several threads and PID 11 with one. */
function membersOf(scene: GroupScene): Members {
  scene.scan([
    { pid: 10, name: "a" },
    { pid: 11, name: "a" },
  ]);
  const members = scene.groups.members();
  if (members === undefined) throw new Error("no scan");
  return { ...members, table: { ...members.table, threads: Int32Array.of(3, 1) } };
}

test("threads are summed by name, with what they used between readings; names that are gone are forgotten", async () => {
  const scene = new GroupScene();
  const read = createThreadSums({
    tasks: createTaskReader(root),
    ticksPerSecond: 100,
    members: () => membersOf(scene),
  });
  write("10/wchan", "do_poll");
  write("11/wchan", "0");
  for (const [id, name, ticks] of [
    [10, "a", 100],
    [101, "pool", 200],
    [102, "pool", 300],
  ] as const)
    writeTask(10, id, name, ticks);
  const [first] = await read();
  expect(first).toMatchObject({ name: "a", states: [0, 3, 0, 0, 0] });
  expect(first && [...first.waits]).toEqual([
    ["do_poll", 1],
    ["futex_wait", 3],
  ]);
  expect(first?.threads).toMatchObject([
    { name: "a", count: 1 },
    { name: "pool", count: 2, userSeconds: 0 },
  ]);
  writeTask(10, 101, "pool", 250, "R");
  rmSync(path.join(root, "10/task/102"), { recursive: true });
  const [second] = await read();
  expect(second?.states).toEqual([1, 1, 0, 0, 0]);
  expect(second?.threads[1]).toMatchObject({ name: "pool", count: 1, userSeconds: 0.5, readBytes: 0 });
  writeTask(10, 101, "other", 260, "R");
  const [third] = await read();
  expect(third?.threads.map(({ name }) => name)).toEqual(["a", "other"]);
});

test("readings that overlap share one, and a process that is gone tells nothing", async () => {
  const scene = new GroupScene();
  const read = createThreadSums({
    tasks: createTaskReader(root),
    ticksPerSecond: 100,
    members: () => membersOf(scene),
  });
  const [one, two] = [read(), read()];
  expect(two).toBe(one);
  expect(await one).toEqual([{ name: "a", threads: [], states: [0, 0, 0, 0, 0], waits: new Map() }]);
});

test("smaps_rollup is read, and any other text is none", () => {
  expect(
    parseSmapsRollup(
      "0-1 ---p 0 0:0 0 [rollup]\nRss: 1680 kB\nPss:                 173 kB\nSwapPss:  2 kB\n",
    ),
  ).toEqual({ residentBytes: 173 * 1024, swappedBytes: 2048 });
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(parseSmapsRollup(text)).toBeUndefined();
    }),
  );
});

test("proportional memory is read process by process, kept for a minute, and dropped when the process ends", async () => {
  const scene = new GroupScene();
  write("10/smaps_rollup", "Pss: 100 kB\n");
  write("11/smaps_rollup", "Pss: 1 kB\nSwapPss: 4 kB\n");
  scene.scan([
    { pid: 10, name: "a" },
    { pid: 11, name: "a" },
    { pid: 12, name: "b" },
  ]);
  const state = { now: 0 };
  const sums = createProportionalSums({
    reader: createBlockingReader(10_000),
    root,
    members: scene.groups.members,
    monotonicMs: () => state.now,
  });
  const residentOf = (name: string) => sums.sums().find((one) => one.name === name)?.residentBytes;
  try {
    sums.observe();
    await waitFor("both to be read", () => residentOf("a") === 101 * 1024);
    expect(sums.sums()).toContainEqual({ name: "b", residentBytes: 0, swappedBytes: 0 });
    write("10/smaps_rollup", "Pss: 200 kB\n");
    state.now = 59_000;
    sums.observe();
    expect(residentOf("a")).toBe(101 * 1024);
    state.now = 60_000;
    await waitFor("the second round", () => {
      // After each scan, as the agent does: the first round may be busy with the last process still.
      sums.observe();
      return residentOf("a") === 201 * 1024;
    });
    scene.scan([
      { pid: 11, name: "a" },
      { pid: 10, startTicks: 7, name: "a" },
    ]);
    expect(residentOf("a")).toBe(1024);
  } finally {
    sums.close();
  }
});

/** A file of which the reading hangs until somebody opens the other end. */
function makeHanging(file: string): () => void {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  execFileSync("mkfifo", [path.join(root, file)]);
  // For reading too: opening it does not wait for a reader then.
  return () => closeSync(openSync(path.join(root, file), "r+"));
}

test("a file that is not there is none", async () => {
  const reader = createBlockingReader(10_000);
  try {
    expect(await reader.read(`${root}/4/smaps_rollup`)).toBe("none");
  } finally {
    reader.close();
  }
});

test("a read that hangs is given up, others go on, and no more than two hang at once", async () => {
  const release = [makeHanging("1/smaps_rollup"), makeHanging("2/smaps_rollup")];
  write("3/smaps_rollup", "Pss: 1 kB\n");
  const reader = createBlockingReader(500);
  const read = (pid: number) => reader.read(`${root}/${pid}/smaps_rollup`);
  try {
    expect(await read(1)).toBe("late");
    // A thread takes its time to start.
    await waitFor("another thread to read", async () => typeof (await read(3)) === "object");
    expect(await read(2)).toBe("late");
    expect(await read(3)).toBe("busy");
    release.splice(0, 1)[0]?.();
    await waitFor("the thread to be free", async () => typeof (await read(3)) === "object");
  } finally {
    for (const one of release) one();
    reader.close();
  }
});
