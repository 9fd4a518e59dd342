import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { parseBtf } from "../../agent/source/bpf/btf.ts";
import { createCgroupTexts } from "../../agent/source/cgroupfs/cgroup-texts.ts";
import { detectCgroups } from "../../agent/source/cgroupfs/layout.ts";
import { createBpfExits } from "../../agent/source/exits/bpf-exits.ts";
import { createConnectorExits } from "../../agent/source/exits/connector-exits.ts";
import { parseConnectorEvent } from "../../agent/source/exits/connector-messages.ts";
import type { ExitRecord, ExitSource } from "../../agent/source/exits/exit-source.ts";
import { readKernelUnits } from "../../agent/source/procfs/kernel-units.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";
import { kernelObstacle } from "../support/kernel.ts";
import { missing, type Part } from "../support/parts.ts";
import { patience, waitFor } from "../support/wait-for.ts";

const units = readKernelUnits("/proc", Date.now());
const clocks = { now: Date.now, monotonicNs: () => Number(process.hrtime.bigint()) };
let syscalls: Syscalls;
beforeAll(async () => {
  syscalls = await loadSyscalls();
});

const makers = {
  bpf: (calls: Syscalls): ExitSource =>
    createBpfExits({
      btf: parseBtf(readFileSync("/sys/kernel/btf/vmlinux")),
      syscalls: calls,
      units,
      cgroups: createCgroupTexts(detectCgroups("/sys")),
      ...clocks,
    }),
  connector: (calls: Syscalls): ExitSource =>
    createConnectorExits({ root: "/proc", units, syscalls: calls, ...clocks }),
};

const sources: ExitSource[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const source of sources.splice(0)) source.close();
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
});

/** Collects the ends below this test. */
class Collector {
  readonly records: ExitRecord[] = [];
  readonly source: ExitSource;

  constructor(name: keyof typeof makers) {
    this.source = makers[name](syscalls);
    sources.push(this.source);
  }

  take(): readonly ExitRecord[] {
    this.records.push(...this.source.drain());
    return this.records;
  }

  of(pid: number): Promise<ExitRecord> {
    return waitFor(`the end of ${pid}`, () => this.take().find((record) => record.pid === pid));
  }

  /** Waits until so many ends below a parent have come, and a moment longer for those that are too many. */
  async below(parentPid: number, count: number): Promise<readonly ExitRecord[]> {
    const own = (): readonly ExitRecord[] =>
      this.take().filter(
        (record) =>
          record.parentPid === parentPid || record.ancestors.some((ancestor) => ancestor.pid === parentPid),
      );
    await waitFor(`${count} ends`, () => own().length >= count, 30_000);
    const mark = await run("true");
    await this.of(mark);
    return own();
  }
}

function start(command: string, ...args: readonly string[]): ChildProcess & { readonly pid: number } {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  if (child.pid === undefined) throw new Error(`${command} did not start`);
  return child as ChildProcess & { readonly pid: number };
}

/** Runs to the end; gives the PID that it had. */
async function run(command: string, ...args: readonly string[]): Promise<number> {
  const child = start(command, ...args);
  await once(child, "exit");
  return child.pid;
}

/** A test for where the kernel gives it; else it is skipped, and its title says why. */
const testOn =
  (name: keyof typeof makers) =>
  (title: string, body: () => Promise<void>, needs: readonly Part[] = []): void => {
    const reason = kernelObstacle(name) ?? missing(needs);
    if (reason === undefined) test(title, body, patience(60_000));
    else test.skip(`${title} [not run: ${reason}]`, body);
  };

for (const name of ["bpf", "connector"] as const) {
  describe(`ends of processes by ${name}`, () => {
    const here = testOn(name);
    here("after its close it tells nothing, and asking does no harm", async () => {
      const { source } = new Collector(name);
      const pid = await run("true");
      source.close();
      source.close();
      expect(source.drain().map((record) => record.pid)).not.toContain(pid);
      sources.pop();
    });

    here("exit codes and signals are those of wait(2)", async () => {
      const collector = new Collector(name);
      expect((await collector.of(await run("sh", "-c", "exit 0"))).status).toBe(0);
      expect((await collector.of(await run("sh", "-c", "exit 3"))).status).toBe(3 << 8);
      const killed = start("sleep", "424242");
      killed.kill("SIGKILL");
      expect((await collector.of(killed.pid)).status).toBe(9);
      expect(collector.source.lost()).toBe(0);
    });

    here("an end has the parent, the time and the lifetime of the process", async () => {
      const collector = new Collector(name);
      const from = Date.now();
      const record = await collector.of(await run("sleep", "0.3"));
      expect(record.ancestors[0]?.pid ?? record.parentPid).toBe(process.pid);
      expect(record.endedAt).toBeGreaterThan(from);
      expect(record.endedAt).toBeLessThanOrEqual(Date.now() + 1);
      expect(record.lifetimeSeconds).toBeGreaterThan(0.25);
      expect(record.lifetimeSeconds).toBeLessThan((Date.now() - from) / 1000 + 0.1);
    });

    here("every one of 3,000 short-lived processes is told once", async () => {
      const collector = new Collector(name);
      // With a socket for its input bash takes itself for a remote shell's and reads its start-up files: hence --norc.
      const script = "i=0; while [ $i -lt 3000 ]; do (exit 3); i=$((i+1)); done";
      const shell = start("bash", "--norc", "-c", script);
      const timer = setInterval(() => collector.take(), 50);
      await once(shell, "exit");
      clearInterval(timer);
      const records = await collector.below(shell.pid, 3000);
      expect(records).toHaveLength(3000);
      expect(new Set(records.map((record) => record.pid)).size).toBe(3000);
      expect(records.every((record) => record.status === 3 << 8)).toBe(true);
      // Of the connector's socket the whole host's forks and execs are a part: on a busy one it can overflow, and counts it.
      if (name === "bpf") expect(collector.source.lost()).toBe(0);
    });

    here("a process of many threads ends once, whichever of them is the last", async () => {
      const collector = new Collector(name);
      // The first thread ends at once, the others a moment later: pthread_exit() in the main thread.
      const script = [
        "import ctypes, threading, time",
        "threads = [threading.Thread(target=time.sleep, args=(0.2,), daemon=True) for _ in range(8)]",
        "for thread in threads: thread.start()",
        "ctypes.CDLL(None).pthread_exit(None)",
      ];
      const pid = await run("/usr/bin/python3", "-c", script.join("\n"));
      const record = await collector.of(pid);
      expect(record.status).toBe(0);
      const other = await run("true");
      await collector.of(other);
      expect(collector.take().filter((one) => one.pid === pid)).toHaveLength(1);
    }, ["python"]);

    here("an exec by another thread is no end", async () => {
      const collector = new Collector(name);
      const script = [
        "import os, threading, time",
        'threading.Thread(target=lambda: os.execvp("sleep", ["sleep", "424242"])).start()',
        "time.sleep(10)",
      ];
      const child = start("/usr/bin/python3", "-c", script.join("\n"));
      await waitFor("the exec", () => readFileSync(`/proc/${child.pid}/comm`, "utf8") === "sleep\n");
      await collector.of(await run("true"));
      expect(collector.take().filter((one) => one.pid === child.pid)).toHaveLength(0);
      child.kill("SIGTERM");
      expect((await collector.of(child.pid)).status).toBe(15);
    }, ["python"]);

    here("nothing is left open", async () => {
      makers[name](syscalls).close();
      const before = readdirSync("/proc/self/fd").length;
      for (let count = 0; count < 20; count++) {
        const source = makers[name](syscalls);
        source.drain();
        source.close();
      }
      expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before);
    });
  });
}

describe("what only BPF tells", () => {
  const burn =
    "const from = process.cpuUsage(); let used = 0; while (used < 300e3) { const u = process.cpuUsage(from); used = u.user + u.system; }";

  const here = testOn("bpf");
  here("an end has name, start, user, cgroup, ancestors and what the process used", async () => {
    const collector = new Collector("bpf");
    const child = start(
      process.execPath,
      "-e",
      `${burn} process.stdin.once("data", () => process.exit(7));
      const tell = (what) => require("node:fs").writeSync(1, String(what));
      process.on("exit", () => { const { user, system } = process.cpuUsage(); tell((user + system) / 1e6); });
      tell("at rest")`,
    );
    if (child.stdout === null) throw new Error("no output");
    await once(child.stdout, "data");
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(" ");
    const cgroup = readFileSync(`/proc/${child.pid}/cgroup`, "utf8");
    const told = once(child.stdout, "data");
    child.stdin?.write("x");
    const usedBefore = Number((await told)[0]);
    const record = await collector.of(child.pid);
    expect(record).toMatchObject({
      startTicks: Number(stat[21]),
      status: 7 << 8,
      userId: process.geteuid?.(),
      parentPid: process.pid,
      oomVictim: false,
    });
    const [line = ""] = (record.cgroup ?? "").split("\n");
    expect(cgroup.split("\n").map((one) => one.slice(one.indexOf(":")))).toContain(
      line.slice(line.indexOf(":")),
    );
    expect(record.ancestors[0]?.pid).toBe(process.pid);
    const { userSeconds = 0, systemSeconds = 0 } = record.usage ?? {};
    // Between its last words and its end node takes itself apart.
    expect(usedBefore).toBeGreaterThan(0.3);
    expect(userSeconds + systemSeconds).toBeGreaterThanOrEqual(usedBefore);
    expect(userSeconds + systemSeconds).toBeLessThan(2 * usedBefore);
    expect(record.usage?.minorFaults).toBeGreaterThan(500);
  });

  here("the CPU of processes too short-lived for a tick is told", async () => {
    const collector = new Collector("bpf");
    const shell = start(
      "bash",
      "-c",
      "i=0; while [ $i -lt 500 ]; do (:); i=$((i+1)); done; cat /proc/self/stat >/dev/null; times; read x",
    );
    if (shell.stdout === null) throw new Error("no output");
    let said = "";
    shell.stdout.on("data", (chunk) => (said += chunk));
    await waitFor("the times", () => said.split("\n").length > 2);
    const records = await collector.below(shell.pid, 501);
    const used = records.reduce(
      (sum, { usage }) => sum + (usage?.userSeconds ?? 0) + (usage?.systemSeconds ?? 0),
      0,
    );
    const [, children = ""] = said.trim().split("\n");
    const waited = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
      (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
      0,
    );
    // bash has it from the kernel's sums of the children that it waited for.
    expect(used).toBeGreaterThan(waited * 0.8);
    expect(used).toBeLessThan(waited * 1.2 + 0.02);
  });
});

test("bytes that are no event of the connector are not taken for one", () => {
  expect(parseConnectorEvent(Buffer.alloc(0))).toBeUndefined();
  expect(parseConnectorEvent(Buffer.alloc(76))).toBeUndefined();
  const message = Buffer.alloc(76);
  message.writeUInt16LE(3, 4);
  message.writeUInt32LE(1, 16);
  message.writeUInt32LE(1, 20);
  message.writeUInt32LE(42, 24);
  message.writeUInt32LE(0x8000_0000, 36);
  message.writeUInt32LE(1, 40);
  message.writeUInt32LE(4242, 52);
  message.writeUInt32LE(4242, 56);
  message.writeUInt32LE(256, 60);
  expect(parseConnectorEvent(message)).toEqual({
    kind: "exit",
    threadId: 4242,
    processId: 4242,
    status: 256,
    sequence: 42,
    cpu: 1,
    clockNs: 0,
  });
  // Cut off in the middle of its figures: an event, but none of those that count.
  expect(parseConnectorEvent(message.subarray(0, 56))).toMatchObject({ kind: "other" });
});
