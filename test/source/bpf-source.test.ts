import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { AgentError, reasonOf } from "../../agent/errors.ts";
import type { ProcessTable } from "../../agent/model.ts";
import { createBpfSource } from "../../agent/source/bpf/bpf-source.ts";
import { parseBtf } from "../../agent/source/bpf/btf.ts";
import { assembleTaskIterator } from "../../agent/source/bpf/task-iterator.ts";
import { loadTaskPasses } from "../../agent/source/bpf/task-passes.ts";
import { createTaskRecords } from "../../agent/source/bpf/task-records.ts";
import { mostWalked, type ThreadVisit, threadVisitOf } from "../../agent/source/bpf/thread-sums.ts";
import { createCgroupTexts } from "../../agent/source/cgroupfs/cgroup-texts.ts";
import { detectCgroups } from "../../agent/source/cgroupfs/layout.ts";
import { chooseSources, type SourceParts } from "../../agent/source/choose-source.ts";
import type { ProcessSource } from "../../agent/source/process-source.ts";
import { readKernelUnits } from "../../agent/source/procfs/kernel-units.ts";
import { createProcfsSource } from "../../agent/source/procfs/procfs-source.ts";
import { createThreadReader } from "../../agent/source/procfs/thread-reader.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";
import { missing } from "../support/parts.ts";
import { waitFor } from "../support/wait-for.ts";
import { processSourceContract } from "./process-source-contract.ts";

const units = readKernelUnits("/proc", Date.now());
const cgroups = createCgroupTexts(detectCgroups("/sys"));
let syscalls: Syscalls;
beforeAll(async () => {
  syscalls = await loadSyscalls();
});

const create = (threads: ThreadVisit): ProcessSource => {
  const btf = parseBtf(readFileSync("/sys/kernel/btf/vmlinux"));
  return createBpfSource({ root: "/proc", units, cgroups, btf, syscalls, threads });
};

/** Why this kernel or these rights do not allow it, as far as can be told without trying; undefined: they should. */
function obstacle(threads: ThreadVisit): string | undefined {
  if (process.geteuid?.() !== 0) return "bpf(2) needs root";
  try {
    const btf = parseBtf(readFileSync("/sys/kernel/btf/vmlinux"));
    assembleTaskIterator(btf, threads);
    if (threads === "iterate" && threadVisitOf(btf) !== threads)
      return "this kernel has no iterator of threads";
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

for (const threads of ["iterate", "walk"] as const) {
  const reason = obstacle(threads);
  if (reason === undefined) {
    processSourceContract(`bpf (threads: ${threads})`, () => create(threads));
    describe(`the same processes side by side with procfs, threads: ${threads}`, () => sideBySide(threads));
  } else test.skip(`bpf, threads: ${threads} [not run: ${reason}]`, () => {});
}

/** A row of a table by column. */
type Row = Readonly<Record<string, unknown>>;

function sideBySide(threads: ThreadVisit): void {
  const children: ChildProcess[] = [];
  let bpf: ProcessSource;
  let procfs: ProcessSource;
  beforeAll(() => {
    bpf = create(threads);
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

  const rowOf = (table: ProcessTable, pid: number): Row => {
    const row = table.pid.indexOf(pid);
    expect(row).toBeGreaterThanOrEqual(0);
    return Object.fromEntries(
      Object.entries(table).map(([name, column]) => [name, typeof column === "number" ? 0 : column[row]]),
    );
  };
  /** The same process as both sources have it, while /proc says the same before and after: it is at rest. */
  async function lookTwice(pid: number): Promise<{ readonly own: Row; readonly proc: Row }> {
    await bpf.scan();
    return waitFor(`process ${pid} to be at rest`, async () => {
      const before = rowOf((await procfs.scan()).table, pid);
      const own = rowOf((await bpf.scan()).table, pid);
      const proc = rowOf((await procfs.scan()).table, pid);
      return isDeepStrictEqual(before, proc) && { own, proc };
    });
  }
  const cpu = (row: Row): number => Number(row.userSeconds) + Number(row.systemSeconds);

  test("every column of a process at rest is the same", async () => {
    const child = spawn("sleep", ["424242"], { stdio: "ignore" });
    children.push(child);
    const { own, proc } = await lookTwice(child.pid ?? -1);
    const { userSeconds, systemSeconds, ...exact } = own;
    const { userSeconds: procUser, systemSeconds: procSystem, ...procExact } = proc;
    expect(exact).toEqual(procExact);
    expect(Math.abs(Number(userSeconds) - Number(procUser))).toBeLessThanOrEqual(1 / units.ticksPerSecond);
    expect(Math.abs(Number(systemSeconds) - Number(procSystem))).toBeLessThanOrEqual(
      1 / units.ticksPerSecond,
    );
  });

  test("where threads are iterated a pass has of most processes only that they are as they were, else whole records", () => {
    const passes = loadTaskPasses(parseBtf(readFileSync("/sys/kernel/btf/vmlinux")), syscalls, threads);
    const records = createTaskRecords();
    const bytesOf = (scan: number): number => {
      const fd = passes.open(scan, scan === 0);
      records.begin();
      let bytes = 0;
      for (let length = 1; length > 0; bytes += length) {
        length = readSync(fd, records.room());
        records.took(length);
      }
      closeSync(fd);
      if (records.finish()) passes.keep(records);
      return bytes;
    };
    try {
      const whole = bytesOf(0);
      // What is new is given an entry by the first pass, and its seal by the next.
      bytesOf(1);
      for (const part of [bytesOf(2), bytesOf(3)]) {
        if (threads === "iterate") expect(part).toBeLessThan(whole / 2);
        else expect(part).toBeGreaterThan(whole / 2);
      }
    } finally {
      passes.close();
    }
  });

  test("what others change of a process that does not run is seen: its state and its parent at once, a limit in sixteen scans", async () => {
    const shell = spawn("sh", ["-c", "sleep 424242 & echo $!; wait"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(shell, "exit");
    const [said] = await once(shell.stdout, "data");
    const pid = Number(said);
    try {
      const { own } = await lookTwice(pid);
      expect(own).toMatchObject({ parentPid: shell.pid, state: "S".charCodeAt(0) });
      const seen = async (): Promise<Row> => rowOf((await bpf.scan()).table, pid);
      process.kill(pid, "SIGSTOP");
      await waitFor("the process to be stopped", async () => {
        const proc = rowOf((await procfs.scan()).table, pid);
        const { state } = await seen();
        if (proc.state === "T".charCodeAt(0)) expect(state).toBe(proc.state);
        return state === "T".charCodeAt(0);
      });
      shell.kill("SIGKILL");
      await ended;
      const orphan = await seen();
      expect(orphan.parentPid).not.toBe(shell.pid);
      expect(orphan).toMatchObject({ parentPid: rowOf((await procfs.scan()).table, pid).parentPid });
      // Records that are whole always have it at once.
      if (threads === "walk") return;
      execFileSync("prlimit", ["--nofile=77:77", `--pid=${pid}`]);
      let scans = 0;
      while ((await seen()).openFilesLimit !== 77) expect(++scans).toBeLessThan(16);
    } finally {
      process.kill(pid, "SIGKILL");
      shell.kill("SIGKILL");
      await ended;
    }
  });

  test("a process seen often has its latest figures, whatever of it changes, as a source has that sees it first", async () => {
    const script = `
      process.stdout.write("ready");
      const held = [];
      process.stdin.on("data", (what) => {
        if (what == "name\\n") process.title = "renamed";
        else if (what == "open\\n") held.push(require("node:fs").openSync("/dev/null"));
        else held.push(Buffer.alloc(32 << 20, 1));
        process.stdout.write("done");
      });`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    await once(child.stdout, "data");
    const pid = child.pid ?? -1;
    for (let scans = 0; scans < 5; scans++) await bpf.scan();
    const seen = async (): Promise<Row> => rowOf((await bpf.scan()).table, pid);
    const first = await seen();
    for (const what of ["name", "open", "grow"]) {
      child.stdin.write(`${what}\n`);
      await once(child.stdout, "data");
      await waitFor(`the process to be at rest after ${what}`, async () => {
        const fresh = create(threads);
        const own = await seen();
        const row = rowOf((await fresh.scan()).table, pid);
        fresh.close();
        return isDeepStrictEqual(own, row);
      });
    }
    const last = await seen();
    expect(last).toMatchObject({ pid, name: "renamed", openFiles: Number(first.openFiles) + 1 });
    expect(Number(last.residentBytes) - Number(first.residentBytes)).toBeGreaterThan(30 << 20);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    children.splice(children.indexOf(child), 1);
    expect((await bpf.scan()).table.pid.indexOf(pid)).toBe(-1);
  });

  test("processes at rest have their rows, wherever these are while others come and go", async () => {
    const sleepers: ChildProcess[] = [];
    const end = async (child: ChildProcess | undefined): Promise<void> => {
      if (child === undefined) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    };
    const begin = (count: number): void => {
      for (let one = 0; one < count; one++) sleepers.push(spawn("sleep", [String(1_000 + one)]));
    };
    try {
      begin(9);
      for (let scans = 0; scans < 4; scans++) await bpf.scan();
      for (const [gone, come] of [[[0, 4], 0] as const, [[1], 3] as const, [[2, 0], 2] as const]) {
        for (const index of gone) await end(sleepers.splice(index, 1)[0]);
        begin(come);
        await waitFor("all to be as a source has them that sees them first", async () => {
          const { table } = await bpf.scan();
          const fresh = create(threads);
          const first = (await fresh.scan()).table;
          fresh.close();
          return sleepers.every(({ pid = -1 }) => isDeepStrictEqual(rowOf(table, pid), rowOf(first, pid)));
        });
      }
    } finally {
      for (const child of sleepers) await end(child);
    }
  });

  test("a row that is not told as changed is as it was, and one of a process that works is told", async () => {
    const pid = await start("process.stdout.write('rest'); setInterval(() => {}, 1)");
    const source = create(threads);
    // What is new is written at the second look, too.
    for (let scans = 0; scans < 4; scans++) await source.scan();
    let last: ProcessTable | undefined;
    // Nothing else must start or end from one scan to the next.
    const { before, table, rows } = await waitFor("two scans with the same processes", async () => {
      const before = last;
      const { table, changes } = await source.scan();
      last = table;
      if (before !== undefined && changes !== undefined) expect(changes.since).toBe(before);
      return before && changes && { before, table, rows: changes.rows };
    });
    source.close();
    const told = new Set(rows);
    const differing = [...table.pid.keys()].filter((row) => {
      const one = table.pid[row] ?? -1;
      return !isDeepStrictEqual(rowOf(before, one), rowOf(table, one));
    });
    expect(differing.filter((row) => !told.has(row))).toEqual([]);
    expect(differing).toContain(table.pid.indexOf(pid));
    expect(told.size).toBeLessThan(table.length);
  });

  test("a process of 50 threads, of which some have ended, has the sums of all", async () => {
    // Those that live wait in the kernel, the first one too: nothing of the process moves.
    const script = `
      const { Worker } = require("node:worker_threads");
      const wait = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";
      const burn = "const end = Date.now() + 20; while (Date.now() < end);";
      let ended = 0;
      for (let index = 0; index < 40; index++) new Worker(wait, { eval: true });
      for (let index = 0; index < 10; index++) new Worker(burn, { eval: true }).on("exit", () => ++ended === 10 && settle());
      function settle() { require("node:fs").writeSync(1, "rest"); eval(wait); }`;
    const { own, proc } = await lookTwice(await start(script));
    const { userSeconds, systemSeconds, residentBytes, voluntarySwitches, involuntarySwitches, ...exact } =
      own;
    // /proc/PID/status has the switches of the first thread only.
    const inexact = { userSeconds, systemSeconds, residentBytes, voluntarySwitches, involuntarySwitches };
    expect({ ...exact, ...inexact }).toEqual({ ...proc, ...inexact });
    expect(Number(own.threads)).toBeGreaterThan(40);
    expect(Number(voluntarySwitches)).toBeGreaterThan(Number(proc.voluntarySwitches));
    // Its two parts are cut to ticks apart.
    expect(Math.abs(cpu(own) - cpu(proc))).toBeLessThan(2 / units.ticksPerSecond);
    expect(Math.abs(Number(residentBytes) - Number(proc.residentBytes))).toBeLessThan(1 << 20);
  });

  const python = missing(["python"]);
  (python === undefined ? test : test.skip)(
    `a process of more threads than are walked has its figures, too${python === undefined ? "" : ` [not run: ${python}]`}`,
    async () => {
      const count = mostWalked + 76;
      const script = [
        "import threading, time",
        "threading.stack_size(65536)",
        `for _ in range(${count - 1}): threading.Thread(target=time.sleep, args=(424242,), daemon=True).start()`,
        "print('rest', flush=True); time.sleep(424242)",
      ].join("\n");
      const child = spawn("python3", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
      children.push(child);
      await once(child.stdout, "data");
      const { own, proc } = await lookTwice(child.pid ?? -1);
      expect(own).toMatchObject({ threads: count, minorFaults: proc.minorFaults, command: proc.command });
      expect(Math.abs(cpu(own) - cpu(proc))).toBeLessThan(2 / units.ticksPerSecond);
    },
  );

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
}

describe("the choice of sources", () => {
  const choose = (facts: Partial<SourceParts>) =>
    chooseSources({
      source: "auto",
      eventsSource: "auto",
      procRoot: "/proc",
      sysRoot: "/sys",
      units,
      cgroups,
      commands: createThreadReader(),
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

  test("type information of another kernel, or a broken one, is no reason to fail", () => {
    const root = mkdtempSync(path.join(os.tmpdir(), "pidward-sys-"));
    mkdirSync(path.join(root, "kernel/btf"), { recursive: true });
    const whole = readFileSync(path.join(__dirname, "../fixtures/btf/linux-6.1.btf"));
    for (const types of [
      whole.subarray(0, 9000),
      Buffer.concat([whole.subarray(0, 9000), Buffer.alloc(20_000, 7)]),
    ]) {
      writeFileSync(path.join(root, "kernel/btf/vmlinux"), types);
      const chosen = choose({ sysRoot: root, syscalls });
      expect(chosen.source.name).toBe("procfs");
      expect(chosen.sourceReason).toMatch(/kernel/);
      chosen.exits?.close();
    }
    rmSync(root, { recursive: true });
  });

  test("what was asked for has no reason, and is an error when it cannot be had", () => {
    const asked = choose({ source: "procfs", eventsSource: "snapshot", syscalls });
    expect([asked.sourceReason, asked.exitsReason]).toEqual([null, null]);
    expect(() => choose({ source: "bpf" })).toThrow("--source=bpf: ");
    expect(() => choose({ source: "procfs", eventsSource: "bpf" })).toThrow("--events.source=bpf: ");
    expect(() => choose({ source: "procfs", eventsSource: "connector" })).toThrow(AgentError);
  });
});
