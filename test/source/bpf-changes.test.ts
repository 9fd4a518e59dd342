import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "@jest/globals";
import { AgentError } from "../../agent/errors.ts";
import type { ProcessTable } from "../../agent/model.ts";
import { loadTaskPasses } from "../../agent/source/bpf/task-passes.ts";
import { walkLayout } from "../../agent/source/bpf/walk-memory.ts";
import { waitFor } from "../support/wait-for.ts";
import { endChild, forEachVisit, type Row, readTypes, rowOf, setUpSideBySide } from "./bpf-side-by-side.ts";

// enum bpf_cmd and enum bpf_prog_type of include/uapi/linux/bpf.h
const BPF_PROG_LOAD = 5;
const BPF_ITER_CREATE = 33;
const BPF_PROG_TYPE_TRACING = 26;

forEachVisit("what stays from scan to scan, and what does not", (threads) => {
  const here = setUpSideBySide(threads);

  test("where threads are iterated a call writes the records of few processes, and where they are walked an iterator gives all", async () => {
    const { syscalls } = here();
    const commands: number[] = [];
    let value = new DataView(new ArrayBuffer(walkLayout.bytes));
    const passes = loadTaskPasses(
      readTypes(),
      {
        ...syscalls,
        bpf: (command, attributes) => {
          commands.push(command);
          return syscalls.bpf(command, attributes);
        },
        mapShared: (...args) => {
          const mapped = syscalls.mapShared(...args);
          value = new DataView(mapped.bytes);
          return mapped;
        },
      },
      threads,
    );
    try {
      const { records } = passes;
      for (let scan = 0; scan < 4; scan++) {
        commands.length = 0;
        // So that the test's own process has used CPU time that the kernel has booked.
        for (const from = performance.now(); performance.now() - from < 30; );
        await passes.pass(scan);
        expect(records.pids.subarray(0, records.count())).toContain(process.pid);
        expect(commands.includes(BPF_ITER_CREATE)).toBe(threads === "walk");
        if (scan === 0 || threads === "walk") continue;
        const written = value.getUint32(walkLayout.writtenAt, true) / walkLayout.outputStride;
        expect(written).toBeGreaterThan(0);
        expect(written).toBeLessThan(records.count() / 2);
      }
    } finally {
      passes.close();
    }
  });

  test("a kernel that refuses the program is read by its iterator, with the reason", async () => {
    const { syscalls } = here();
    const refused = new Set<number>();
    const passes = loadTaskPasses(
      readTypes(),
      {
        ...syscalls,
        bpf: (command, attributes) => {
          const type = attributes.readUInt32LE(0);
          if (command !== BPF_PROG_LOAD || type === BPF_PROG_TYPE_TRACING)
            return syscalls.bpf(command, attributes);
          refused.add(type);
          throw new AgentError("no_rights", "not here");
        },
      },
      threads,
    );
    try {
      expect(refused.size).toBe(threads === "walk" ? 0 : 1);
      if (threads === "walk") expect(passes.slowerBecause).toBeUndefined();
      else expect(passes.slowerBecause).toContain("pidward_walk cannot be loaded: not here");
      await passes.pass(0);
      expect(passes.records.pids.subarray(0, passes.records.count())).toContain(process.pid);
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
      const { own } = await here().lookTwice(pid);
      expect(own).toMatchObject({ parentPid: shell.pid, state: "S".charCodeAt(0) });
      const seen = async (): Promise<Row> => rowOf((await here().bpf.scan()).table, pid);
      process.kill(pid, "SIGSTOP");
      await waitFor("the process to be stopped", async () => {
        const proc = rowOf((await here().procfs.scan()).table, pid);
        const { state } = await seen();
        if (proc.state === "T".charCodeAt(0)) expect(state).toBe(proc.state);
        return state === "T".charCodeAt(0);
      });
      shell.kill("SIGKILL");
      await ended;
      const orphan = await seen();
      expect(orphan.parentPid).not.toBe(shell.pid);
      expect(orphan).toMatchObject({ parentPid: rowOf((await here().procfs.scan()).table, pid).parentPid });
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
    here().keep(child);
    await once(child.stdout, "data");
    const pid = child.pid ?? -1;
    for (let scans = 0; scans < 5; scans++) await here().bpf.scan();
    const seen = async (): Promise<Row> => rowOf((await here().bpf.scan()).table, pid);
    const first = await seen();
    for (const what of ["name", "open", "grow"]) {
      child.stdin.write(`${what}\n`);
      await once(child.stdout, "data");
      await waitFor(`the process to be at rest after ${what}`, async () => {
        const fresh = here().create();
        const own = await seen();
        const row = rowOf((await fresh.scan()).table, pid);
        fresh.close();
        return isDeepStrictEqual(own, row);
      });
    }
    const last = await seen();
    expect(last).toMatchObject({ pid, name: "renamed", openFiles: Number(first.openFiles) + 1 });
    expect(Number(last.residentBytes) - Number(first.residentBytes)).toBeGreaterThan(30 << 20);
    await endChild(child);
    expect((await here().bpf.scan()).table.pid.indexOf(pid)).toBe(-1);
  });

  test("processes at rest have their rows, wherever these are while others come and go", async () => {
    const sleepers: ChildProcess[] = [];
    const begin = (count: number): void => {
      for (let one = 0; one < count; one++) sleepers.push(spawn("sleep", [String(1_000 + one)]));
    };
    try {
      begin(9);
      for (let scans = 0; scans < 4; scans++) await here().bpf.scan();
      for (const [gone, come] of [[[0, 4], 0] as const, [[1], 3] as const, [[2, 0], 2] as const]) {
        for (const index of gone) for (const child of sleepers.splice(index, 1)) await endChild(child);
        begin(come);
        await waitFor("all to be as a source has them that sees them first", async () => {
          const { table } = await here().bpf.scan();
          const fresh = here().create();
          const first = (await fresh.scan()).table;
          fresh.close();
          return sleepers.every(({ pid = -1 }) => isDeepStrictEqual(rowOf(table, pid), rowOf(first, pid)));
        });
      }
    } finally {
      for (const child of sleepers) await endChild(child);
    }
  });

  test("a row that is not told as changed is as it was, and one of a process that works is told", async () => {
    const pid = await here().start("process.stdout.write('rest'); setInterval(() => {}, 1)");
    const source = here().create();
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
});
