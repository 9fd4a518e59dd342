import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { ProcessTable } from "../../agent/model.ts";
import type { ProcessSource, Scan } from "../../agent/source/process-source.ts";
import { createProcfsSource } from "../../agent/source/procfs/procfs-source.ts";
import { turns } from "../../agent/source/turns.ts";

interface Fixture {
  readonly state?: string;
  readonly parent?: number;
  readonly threads?: number;
  readonly startTicks?: number;
  /** A figure that others can change: what shows whether the process was read. */
  readonly faults: number;
  /** Content of schedstat. */
  readonly run?: string;
  readonly cgroup?: string;
  readonly withoutIo?: boolean;
  readonly name?: string;
}

let root: string;
let source: ProcessSource;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), "pidward-resting-"));
  mkdirSync(path.join(root, "self"));
  writeFileSync(path.join(root, "self/schedstat"), "1 1 1\n");
  source = create();
});
afterEach(() => {
  source.close();
  rmSync(root, { recursive: true });
});

function create(): ProcessSource {
  return createProcfsSource({ root, units: { bootSeconds: 1, ticksPerSecond: 100, pageBytes: 4096 } });
}

function put(pid: number, fixture: Fixture): void {
  const { state = "S", parent = 1, threads = 1, startTicks = 500, faults } = fixture;
  const folder = path.join(root, String(pid));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, "fd"), { recursive: true });
  const files = {
    stat: `${pid} (${fixture.name ?? "web"}) ${state} ${parent} 1 1 0 -1 0 ${faults} 0 2 0 150 50 0 0 20 0 ${threads} 0 ${startTicks} 8192 4 0 0\n`,
    status: "Uid:\t0\t33\t0\t0\n",
    io: "read_bytes: 20\nwrite_bytes: 30\n",
    cmdline: "web\0",
    cgroup: fixture.cgroup ?? "0::/\n",
    limits: "Max open files            1024                 4096                 files\n",
    schedstat: fixture.run ?? "1523411 88032 7\n",
  };
  for (const [name, content] of Object.entries(files))
    if (name !== "io" || fixture.withoutIo !== true) writeFileSync(path.join(folder, name), content);
}

/** Until none of these has its turn in the scan that follows, and the young ones have been looked at again. */
async function settle(pids: readonly number[]): Promise<Scan> {
  let scans = 0;
  let scan = await source.scan();
  scans++;
  const isTurnNext = (pid: number): boolean =>
    (scans + 1 + pid) % turns === 0 || (scans + 1 + pid) % 60 === 0 || (scans + 2 + pid) % turns === 0;
  while (scans < 3 || pids.some(isTurnNext)) {
    scan = await source.scan();
    scans++;
  }
  return scan;
}

function faultsOf(table: ProcessTable): Record<number, number | undefined> {
  return Object.fromEntries([...table.pid].map((pid, row) => [pid, table.minorFaults[row]]));
}

test("a process that has not run since is not read, one that has is", async () => {
  put(7, { faults: 1 });
  put(8, { faults: 1 });
  put(9, { faults: 1 });
  const before = await settle([7, 8, 9]);
  put(7, { faults: 2 });
  // More nanoseconds, and once more on a CPU whose clock did not advance meanwhile.
  put(8, { faults: 2, run: "1523412 88032 7\n" });
  put(9, { faults: 2, run: "1523411 88032 8\n" });
  const { table, changes } = await source.scan();
  expect(faultsOf(table)).toEqual({ 7: 1, 8: 2, 9: 2 });
  expect(changes?.since).toBe(before.table);
  expect(changes?.rows).toEqual([1, 2]);
});

test("each has its turn, at which it is read come what may", async () => {
  put(7, { faults: 1 });
  await settle([7]);
  put(7, { faults: 2 });
  const seen: (number | undefined)[] = [];
  for (let scan = 0; scan < turns; scan++) seen.push((await source.scan()).table.minorFaults[0]);
  expect(seen[0]).toBe(1);
  expect(seen.at(-1)).toBe(2);
});

test.each<[string, Partial<Fixture>]>([
  ["runs", { state: "R" }],
  ["has several threads", { threads: 2 }],
  ["is of no known cgroup", { cgroup: "" }],
  ["has a file that cannot be read", { withoutIo: true }],
  ["has no such file", { run: "" }],
])("one that %s is read each time", async (_, more) => {
  put(7, { ...more, faults: 1 });
  await settle([7]);
  put(7, { ...more, faults: 2 });
  expect(faultsOf((await source.scan()).table)).toEqual({ 7: 2 });
});

test("rows that move with those that come and go keep what they say", async () => {
  for (const pid of [10, 20, 30, 40]) put(pid, { faults: pid });
  const { table } = await settle([10, 20, 30, 40]);
  put(15, { faults: 15 });
  rmSync(path.join(root, "30"), { recursive: true });
  for (const pid of [10, 20, 40]) put(pid, { faults: 99 });
  const { table: next, changes } = await source.scan();
  expect(changes).toBeUndefined();
  expect(faultsOf(next)).toEqual({ 10: 10, 15: 15, 20: 20, 40: 40 });
  expect(next.name).toEqual(["web", "web", "web", "web"]);
  expect(next.cgroup).toEqual(Array(4).fill("0::/\n"));
  expect(next.command[3]).toEqual(["web"]);
  // What was shared with the table before has stayed as it was.
  expect(faultsOf(table)).toEqual({ 10: 10, 20: 20, 30: 30, 40: 40 });
});

test("as many that come as go: what moves is not taken for what stood there before", async () => {
  for (const pid of [10, 20, 30, 40]) put(pid, { faults: 1, name: `name ${pid}` });
  await settle([10, 20, 30, 40]);
  rmSync(path.join(root, "30"), { recursive: true });
  // In its columns like the one that stood in this row.
  put(15, { faults: 1, name: "name 20" });
  const { table } = await source.scan();
  expect([...table.pid]).toEqual([10, 15, 20, 40]);
  expect(table.name).toEqual(["name 10", "name 20", "name 20", "name 40"]);
});

test.each<[string, () => void]>([
  ["has vanished", () => rmSync(path.join(root, "7"), { recursive: true })],
  ["waits for being reaped", () => put(7, { state: "Z", faults: 1, run: "9 9 9\n" })],
  ["is another's by now", () => put(7, { startTicks: 900, faults: 1, run: "9 9 9\n" })],
])("the child of a parent that %s is read: it has another one", async (_, end) => {
  put(7, { faults: 1 });
  put(8, { parent: 7, faults: 1 });
  await settle([7, 8]);
  end();
  put(8, { parent: 1, faults: 1 });
  const { table } = await source.scan();
  expect(table.parentPid.at(-1)).toBe(1);
});

test("a parent whose end is seen behind its child has it read with the next scan", async () => {
  put(7, { parent: 8, faults: 1 });
  put(8, { faults: 1 });
  await settle([7, 8]);
  put(8, { state: "Z", faults: 1, run: "9 9 9\n" });
  put(7, { parent: 1, faults: 1 });
  await source.scan();
  expect((await source.scan()).table.parentPid[0]).toBe(1);
});

test("a PID with another life is read, whatever its file says of the one before", async () => {
  put(7, { faults: 1 });
  await settle([7]);
  rmSync(path.join(root, "7"), { recursive: true });
  await source.scan();
  put(7, { faults: 2, startTicks: 900 });
  expect(faultsOf((await source.scan()).table)).toEqual({ 7: 2 });
});

test("a list that could not be had loses nothing", async () => {
  put(7, { faults: 1 });
  await settle([7]);
  const moved = `${root}-moved`;
  renameSync(root, moved);
  await expect(source.scan()).rejects.toThrow("cannot be listed");
  renameSync(moved, root);
  put(7, { faults: 2 });
  expect(faultsOf((await source.scan()).table)).toEqual({ 7: 1 });
});

test("where the kernel has no such file all are read each time", async () => {
  rmSync(path.join(root, "self"), { recursive: true });
  source.close();
  source = create();
  put(7, { faults: 1 });
  await settle([7]);
  put(7, { faults: 2 });
  const { table, changes } = await source.scan();
  expect(faultsOf(table)).toEqual({ 7: 2 });
  expect(changes?.rows).toEqual([0]);
});
