import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { ProcessTable } from "../../agent/model.ts";
import type { ProcessSource } from "../../agent/source/process-source.ts";
import { patience, waitFor } from "../support/wait-for.ts";

/**
 * Uses so many seconds of CPU and holds so many bytes, ends some threads, then says what it used and waits. It says so
 * when its last thread is up and at rest: what is used after that is in no report.
 */
const load = `
const { Worker } = require("node:worker_threads");
const held = Buffer.alloc(64 << 20, 1);
const burn = (ms) => { const from = process.cpuUsage(); let used = 0; while (used < ms * 1000) { const u = process.cpuUsage(from); used = u.user + u.system; } };
burn(600);
const source = "(" + burn + ")(300)";
const ended = new Promise((resolve) => new Worker(source, { eval: true }).on("exit", resolve));
ended.then(() => {
  const last = new Worker("setInterval(() => {}, 1000)", { eval: true });
  last.once("online", () => {
    // Once for nothing: what the first time costs must not come after the figures.
    process.stdout.write("", report);
    setTimeout(() => process.stdout.write(report()), ${patience(100)});
  });
});
const report = () => {
  const rss = process.memoryUsage.rss();
  const { user, system } = process.cpuUsage();
  return JSON.stringify({ user: user / 1e6, system: system / 1e6, rss, held: held.length });
};
setInterval(() => {}, 1000);
`;

interface Load {
  readonly pid: number;
  readonly user: number;
  readonly system: number;
  readonly rss: number;
}

/** What every source of processes keeps, on the live host, with processes that the test started. */
export function processSourceContract(name: string, create: () => ProcessSource): void {
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  });
  const start = (command: string, args: readonly string[]): ChildProcess & { pid: number } => {
    const child = spawn(command, [...args], { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    if (child.pid === undefined) throw new Error(`${command} did not start`);
    return child as ChildProcess & { pid: number };
  };
  const startLoad = async (): Promise<Load> => {
    const child = start(process.execPath, ["-e", load]);
    if (child.stdout === null) throw new Error("no output");
    const [line] = await once(child.stdout, "data");
    return { pid: child.pid, ...JSON.parse(String(line)) };
  };
  const rowOf = (table: ProcessTable, pid: number): number => table.pid.indexOf(pid);

  describe(`${name} keeps the contract of a source`, () => {
    test("a process has the identity, the parent and the names that the kernel gives it", async () => {
      const source = create();
      const { pid } = start("sleep", ["424242"]);
      // Until it sleeps, the loader has files open.
      await waitFor("sleep", () => /\(sleep\) S/.test(readFileSync(`/proc/${pid}/stat`, "utf8")));
      const { table } = await source.scan();
      const row = rowOf(table, pid);
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
      expect(table.startTicks[row]).toBe(Number(stat[21]));
      expect(table.parentPid[row]).toBe(process.pid);
      expect(table.name[row]).toBe("sleep");
      expect(table.command[row]).toEqual(["sleep", "424242"]);
      expect(table.cgroup[row]).toBe(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
      expect(table.containerPid[row]).toBe(0);
      expect(table.userId[row]).toBe(process.geteuid?.());
      expect(table.threads[row]).toBe(1);
      expect(table.openFiles[row]).toBe(readdirSync(`/proc/${pid}/fd`).length);
      source.close();
    });

    test("rows ascend by PID, every column has them all, and kernel threads have no command", async () => {
      const source = create();
      const { table } = await source.scan();
      expect([...table.pid]).toEqual([...table.pid].sort((a, b) => a - b));
      for (const column of Object.values(table)) {
        if (typeof column !== "number") expect(column.length).toBe(table.length);
      }
      expect(rowOf(table, process.pid)).toBeGreaterThanOrEqual(0);
      const kernel = rowOf(table, 2);
      if (kernel !== -1) expect(table.command[kernel]).toEqual([]);
      source.close();
    });

    test("a known load is reported: CPU within 0.05 s, memory within 4 MiB, threads that ended included", async () => {
      const source = create();
      const known = await startLoad();
      const { table } = await source.scan();
      const row = rowOf(table, known.pid);
      const total = (table.userSeconds[row] ?? 0) + (table.systemSeconds[row] ?? 0);
      expect(known.user + known.system).toBeGreaterThan(0.8);
      expect(Math.abs(total - known.user - known.system)).toBeLessThan(0.05);
      expect(Math.abs((table.residentBytes[row] ?? 0) - known.rss)).toBeLessThan(4 << 20);
      expect(table.threads[row]).toBe(readdirSync(`/proc/${known.pid}/task`).length);
      expect(table.threads[row]).toBeGreaterThan(5);
      source.close();
    });

    test("a process that ended is gone from the next scan", async () => {
      const source = create();
      const child = start("sleep", ["424242"]);
      expect(rowOf((await source.scan()).table, child.pid)).toBeGreaterThanOrEqual(0);
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      expect(rowOf((await source.scan()).table, child.pid)).toBe(-1);
      source.close();
    });

    test("a program that replaces itself is the same process under its new name", async () => {
      const source = create();
      const child = start("sh", ["-c", "read line; exec sleep 424242"]);
      const scanOf = (name: string, command: readonly string[]): Promise<ProcessTable> =>
        waitFor(`${name}: ${command.join(" ")}`, async () => {
          const { table } = await source.scan();
          const row = rowOf(table, child.pid);
          // The kernel sets the name before the command line is there (execve): scans can come in between.
          return table.name[row] === name && isDeepStrictEqual(table.command[row], command) && table;
        });
      // Between fork and exec the child still bears the name of this test's program.
      const before = await scanOf("sh", ["sh", "-c", "read line; exec sleep 424242"]);
      child.stdin?.write("\n");
      const after = await scanOf("sleep", ["sleep", "424242"]);
      expect(after.startTicks[rowOf(after, child.pid)]).toBe(before.startTicks[rowOf(before, child.pid)]);
      source.close();
    });

    test(
      "descriptors stay the same over 200 scans",
      async () => {
        const source = create();
        await source.scan();
        const before = readdirSync("/proc/self/fd").length;
        for (let index = 0; index < 200; index++) await source.scan();
        // Those of earlier tests' children may still have been closing.
        expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before);
        source.close();
      },
      patience(300_000),
    );
  });
}
