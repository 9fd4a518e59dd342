import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { reasonOf } from "../../agent/errors.ts";
import type { ProcessTable } from "../../agent/model.ts";
import { createBpfSource } from "../../agent/source/bpf/bpf-source.ts";
import { parseBtf } from "../../agent/source/bpf/btf.ts";
import { assembleTaskIterator } from "../../agent/source/bpf/task-iterator.ts";
import { type ThreadVisit, threadVisitOf } from "../../agent/source/bpf/thread-sums.ts";
import { createCgroupTexts } from "../../agent/source/cgroupfs/cgroup-texts.ts";
import { detectCgroups } from "../../agent/source/cgroupfs/layout.ts";
import type { ProcessSource } from "../../agent/source/process-source.ts";
import { readKernelUnits } from "../../agent/source/procfs/kernel-units.ts";
import { createProcfsSource } from "../../agent/source/procfs/procfs-source.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";
import { waitFor } from "../support/wait-for.ts";

export const units = readKernelUnits("/proc", Date.now());
export const cgroups = createCgroupTexts(detectCgroups("/sys"));

/** This kernel's types. */
export const readTypes = () => parseBtf(readFileSync("/sys/kernel/btf/vmlinux"));

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

/** Runs tests for each way to visit threads; those that cannot be had here are skipped with the reason. */
export function forEachVisit(what: string, run: (threads: ThreadVisit) => void): void {
  for (const threads of ["iterate", "walk"] as const) {
    const reason = obstacle(threads);
    if (reason === undefined) describe(`${what}, threads: ${threads}`, () => run(threads));
    else test.skip(`${what}, threads: ${threads} [not run: ${reason}]`, () => {});
  }
}

/** A row of a table by column. */
export type Row = Readonly<Record<string, unknown>>;

export function rowOf(table: ProcessTable, pid: number): Row {
  const row = table.pid.indexOf(pid);
  expect(row).toBeGreaterThanOrEqual(0);
  return Object.fromEntries(
    Object.entries(table).map(([name, column]) => [name, typeof column === "number" ? 0 : column[row]]),
  );
}

/** A source by BPF beside one by /proc, and processes that end with the tests. */
export interface SideBySide {
  readonly bpf: ProcessSource;
  readonly procfs: ProcessSource;
  readonly syscalls: Syscalls;
  /** One more by BPF, which the caller closes. */
  create(): ProcessSource;
  /** Has it ended with the tests. */
  keep(child: ChildProcess): ChildProcess;
  /** Starts a program that says when it is at rest. */
  start(script: string): Promise<number>;
  /** The same process as both sources have it, while /proc says the same before and after: it is at rest. */
  lookTwice(pid: number): Promise<{ readonly own: Row; readonly proc: Row }>;
}

/** Kills it and waits for its end, which may have been before. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Registers what comes before and after the tests of a block. @returns what is there while they run */
export function setUpSideBySide(threads: ThreadVisit): () => SideBySide {
  const children: ChildProcess[] = [];
  let here: SideBySide | undefined;
  beforeAll(async () => {
    here = await makeSideBySide(threads, children);
  });
  afterAll(async () => {
    here?.bpf.close();
    for (const child of children) await endChild(child);
  });
  return () => {
    if (here === undefined) throw new Error("the tests have not begun");
    return here;
  };
}

async function makeSideBySide(threads: ThreadVisit, children: ChildProcess[]): Promise<SideBySide> {
  const syscalls = await loadSyscalls();
  const create = (): ProcessSource =>
    createBpfSource({ root: "/proc", units, cgroups, btf: readTypes(), syscalls, threads });
  const bpf = create();
  const procfs = createProcfsSource({ root: "/proc", units });
  const keep = (child: ChildProcess): ChildProcess => {
    children.push(child);
    return child;
  };
  return {
    bpf,
    procfs,
    syscalls,
    create,
    keep,
    start: async (script) => {
      const child = keep(spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] }));
      if (child.stdout === null || child.pid === undefined) throw new Error("the child did not start");
      await once(child.stdout, "data");
      return child.pid;
    },
    lookTwice: async (pid) => {
      await bpf.scan();
      return waitFor(`process ${pid} to be at rest`, async () => {
        const before = rowOf((await procfs.scan()).table, pid);
        const own = rowOf((await bpf.scan()).table, pid);
        const proc = rowOf((await procfs.scan()).table, pid);
        return isDeepStrictEqual(before, proc) && { own, proc };
      });
    },
  };
}
