import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { AgentError, reasonOf } from "../../agent/errors.ts";
import type { ProcessTable } from "../../agent/model.ts";
import { createBpfSource } from "../../agent/source/bpf/bpf-source.ts";
import { parseBtf } from "../../agent/source/bpf/btf.ts";
import { assembleTaskIterator } from "../../agent/source/bpf/task-iterator.ts";
import { createCgroupTexts } from "../../agent/source/cgroupfs/cgroup-texts.ts";
import { detectCgroups } from "../../agent/source/cgroupfs/layout.ts";
import { chooseSources, type SourceParts } from "../../agent/source/choose-source.ts";
import type { ProcessSource } from "../../agent/source/process-source.ts";
import { readKernelUnits } from "../../agent/source/procfs/kernel-units.ts";
import { createProcfsSource } from "../../agent/source/procfs/procfs-source.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";
import { processSourceContract } from "./process-source-contract.ts";

const units = readKernelUnits("/proc", Date.now());
const cgroups = createCgroupTexts(detectCgroups("/sys"), () => performance.now());
let syscalls: Syscalls;
beforeAll(async () => {
  syscalls = await loadSyscalls();
});

const create = (): ProcessSource => {
  const btf = parseBtf(readFileSync("/sys/kernel/btf/vmlinux"));
  return createBpfSource({ root: "/proc", units, cgroups, btf, syscalls });
};

/** Why this kernel or these rights do not allow it, as far as can be told without trying; undefined: they should. */
function obstacle(): string | undefined {
  if (process.geteuid?.() !== 0) return "bpf(2) needs root";
  try {
    assembleTaskIterator(parseBtf(readFileSync("/sys/kernel/btf/vmlinux")));
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

const reason = obstacle();
if (reason === undefined) processSourceContract("bpf", create);
const describeHere = reason === undefined ? describe : describe.skip;
const notRun = reason === undefined ? "" : ` [not run: ${reason}]`;

describeHere(`the same processes side by side with procfs${notRun}`, () => {
  const children: ChildProcess[] = [];
  let bpf: ProcessSource;
  let procfs: ProcessSource;
  beforeAll(() => {
    bpf = create();
    procfs = createProcfsSource({ root: "/proc", units });
  });
  afterAll(async () => {
    bpf.close();
    for (const child of children) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  });

  /** Starts a program that says when it is at rest. */
  async function start(script: string): Promise<number> {
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    if (child.stdout === null || child.pid === undefined) throw new Error("the child did not start");
    await once(child.stdout, "data");
    return child.pid;
  }

  type Row = Readonly<Record<string, unknown>>;
  const rowOf = (table: ProcessTable, pid: number): Row => {
    const row = table.pid.indexOf(pid);
    expect(row).toBeGreaterThanOrEqual(0);
    return Object.fromEntries(
      Object.entries(table).map(([name, column]) => [name, typeof column === "number" ? 0 : column[row]]),
    );
  };
  const rest = "setTimeout(() => console.log('rest'), 200); setInterval(() => {}, 1e6);";

  test("every column of a process at rest is the same", async () => {
    const child = spawn("sleep", ["424242"], { stdio: "ignore" });
    children.push(child);
    const pid = child.pid ?? -1;
    await bpf.scan();
    const one = rowOf((await bpf.scan()).table, pid);
    const other = rowOf((await procfs.scan()).table, pid);
    const { userSeconds, systemSeconds, ...exact } = one;
    const { userSeconds: otherUser, systemSeconds: otherSystem, ...otherExact } = other;
    expect(exact).toEqual(otherExact);
    expect(Number(userSeconds) + Number(systemSeconds)).toBeCloseTo(
      Number(otherUser) + Number(otherSystem),
      1,
    );
  });

  test("a process of 50 threads, of which some have ended, has the sums of all", async () => {
    const script = `
      const { Worker } = require("node:worker_threads");
      const burn = "const end = Date.now() + 20; while (Date.now() < end);";
      let ended = 0;
      for (let index = 0; index < 10; index++) new Worker(burn, { eval: true }).on("exit", () => { ended++; if (ended === 10) settle(); });
      for (let index = 0; index < 40; index++) new Worker("setInterval(() => {}, 1e6)", { eval: true });
      function settle() { ${rest} }`;
    const pid = await start(script);
    await bpf.scan();
    const one = rowOf((await bpf.scan()).table, pid);
    const other = rowOf((await procfs.scan()).table, pid);
    const same = [
      "startTicks",
      "parentPid",
      "userId",
      "threads",
      "cgroup",
      "command",
      "openFiles",
      "minorFaults",
      "majorFaults",
    ];
    same.push("readBytes", "writtenBytes", "virtualBytes");
    for (const name of same) expect([name, one[name]]).toEqual([name, other[name]]);
    expect(Number(one.threads)).toBeGreaterThan(40);
    const total = (row: Row): number => Number(row.userSeconds) + Number(row.systemSeconds);
    expect(Math.abs(total(one) - total(other))).toBeLessThan(0.02);
    expect(Math.abs(Number(one.residentBytes) - Number(other.residentBytes))).toBeLessThan(1 << 20);
  });

  test("open files are counted beyond what fits the kernel program, too", async () => {
    const before = rowOf((await bpf.scan()).table, process.pid).openFiles;
    const files = Array.from({ length: 1200 }, () => openSync("/dev/null", "r"));
    const during = rowOf((await bpf.scan()).table, process.pid).openFiles;
    for (const file of files) closeSync(file);
    expect(Number(during)).toBeGreaterThanOrEqual(Number(before) + 1199);
    expect(Number(during)).toBeLessThan(Number(before) + 1210);
  });

  test("no process of the host is missing", async () => {
    const shown = new Set((await bpf.scan()).table.pid);
    const { table } = await procfs.scan();
    const missing = [...table.pid].filter(
      (pid, row) => !shown.has(pid) && (table.startTicks[row] ?? 0) < bootTicks() - 500,
    );
    expect(missing).toEqual([]);
  });

  function bootTicks(): number {
    return Math.floor((Date.now() / 1000 - units.bootSeconds) * units.ticksPerSecond);
  }
});

describe("the choice of sources", () => {
  const choose = (facts: Partial<SourceParts>) =>
    chooseSources({
      source: "auto",
      eventsSource: "auto",
      procRoot: "/proc",
      sysRoot: "/sys",
      units,
      cgroups,
      syscalls: undefined,
      now: Date.now,
      monotonicNs: () => Number(process.hrtime.bigint()),
      ...facts,
    });

  test("without koffi processes are read from /proc and ends come from snapshots, with the reason", () => {
    const chosen = choose({});
    expect(chosen).toMatchObject({ source: { name: "procfs" }, exits: undefined });
    expect(chosen.sourceReason).toContain("koffi");
    expect(chosen.exitsReason).toContain("koffi");
  });

  test("without type information there is no BPF, and the reason names the file", () => {
    const chosen = choose({ sysRoot: "/nowhere", syscalls });
    expect(chosen.source.name).toBe("procfs");
    expect(chosen.sourceReason).toContain("/nowhere/kernel/btf/vmlinux");
    expect(chosen.exitsReason).toContain("/nowhere/kernel/btf/vmlinux");
    chosen.exits?.close();
  });

  test("what was asked for has no reason, and is an error when it cannot be had", () => {
    const asked = choose({ source: "procfs", eventsSource: "snapshot", syscalls });
    expect([asked.sourceReason, asked.exitsReason]).toEqual([null, null]);
    expect(() => choose({ source: "bpf" })).toThrow("--source=bpf: ");
    expect(() => choose({ source: "procfs", eventsSource: "bpf" })).toThrow("--events.source=bpf: ");
    expect(() => choose({ source: "procfs", eventsSource: "connector" })).toThrow(AgentError);
  });
});
