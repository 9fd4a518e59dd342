import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { mostWalked } from "../../agent/source/bpf/thread-sums.ts";
import { missing } from "../support/parts.ts";
import { forEachVisit, type Row, rowOf, setUpSideBySide, units } from "./bpf-side-by-side.ts";
import { processSourceContract } from "./process-source-contract.ts";

forEachVisit("bpf, as every source", (threads) => {
  const here = setUpSideBySide(threads);
  processSourceContract("bpf", () => here().create());
});

forEachVisit("the same processes side by side with procfs", (threads) => {
  const here = setUpSideBySide(threads);

  test("every column of a process at rest is the same", async () => {
    const child = spawn("sleep", ["424242"], { stdio: "ignore" });
    here().keep(child);
    const { own, proc } = await here().lookTwice(child.pid ?? -1);
    const { userSeconds, systemSeconds, ...exact } = own;
    const { userSeconds: procUser, systemSeconds: procSystem, ...procExact } = proc;
    expect(exact).toEqual(procExact);
    expect(Math.abs(Number(userSeconds) - Number(procUser))).toBeLessThanOrEqual(1 / units.ticksPerSecond);
    expect(Math.abs(Number(systemSeconds) - Number(procSystem))).toBeLessThanOrEqual(
      1 / units.ticksPerSecond,
    );
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
    const { own, proc } = await here().lookTwice(await here().start(script));
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
      here().keep(child);
      await once(child.stdout, "data");
      const { own, proc } = await here().lookTwice(child.pid ?? -1);
      expect(own).toMatchObject({ threads: count, minorFaults: proc.minorFaults, command: proc.command });
      expect(Math.abs(cpu(own) - cpu(proc))).toBeLessThan(2 / units.ticksPerSecond);
    },
  );

  test("open files are counted beyond what fits the kernel program, too", async () => {
    const before = rowOf((await here().bpf.scan()).table, process.pid).openFiles;
    const files = Array.from({ length: 1200 }, () => openSync("/dev/null", "r"));
    const during = rowOf((await here().bpf.scan()).table, process.pid).openFiles;
    for (const file of files) closeSync(file);
    expect(Number(during)).toBeGreaterThanOrEqual(Number(before) + 1199);
    expect(Number(during)).toBeLessThan(Number(before) + 1210);
  });

  test("no process of the host is missing", async () => {
    const shown = new Set((await here().bpf.scan()).table.pid);
    const { table } = await here().procfs.scan();
    const missing = [...table.pid].filter(
      (pid, row) => !shown.has(pid) && (table.startTicks[row] ?? 0) < bootTicks() - 500,
    );
    expect(missing).toEqual([]);
  });
});

const cpu = (row: Row): number => Number(row.userSeconds) + Number(row.systemSeconds);

function bootTicks(): number {
  return Math.floor((Date.now() / 1000 - units.bootSeconds) * units.ticksPerSecond);
}
