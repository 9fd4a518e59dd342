// The sources alone, in a process of their own: scans.mjs ROUNDS ITERATOR-READER PROCFS-READER  prints one JSON line with the CPU
// of every scan in µs, what the same costs the C programs, and the longest time that a scan held up the event loop.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, readFileSync, readSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { pause, summarize } from "./measure.mjs";

const [rounds, iteratorReader, procfsReader] = [Number(process.argv[2]), process.argv[3], process.argv[4]];
/** Before each scan and each round of the other: back to back they find the kernel's memory in the CPU's cache. */
const pauseMs = 20;
const dist = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../dist");
const load = (file) => import(path.join(dist, file));
const [{ createBpfSource }, { createProcfsSource }, { readKernelUnits }, { loadSyscalls }, { parseBtf }] =
  await Promise.all([
    load("source/bpf/bpf-source.js"),
    load("source/procfs/procfs-source.js"),
    load("source/procfs/kernel-units.js"),
    load("syscalls.js"),
    load("source/bpf/btf.js"),
  ]);
const [{ loadTaskPasses }, { createTaskRecords }, { createCgroupTexts }, { detectCgroups }] =
  await Promise.all([
    load("source/bpf/task-passes.js"),
    load("source/bpf/task-records.js"),
    load("source/cgroupfs/cgroup-texts.js"),
    load("source/cgroupfs/layout.js"),
  ]);

// As many scans as V8 takes to compile what it runs.
const warmPasses = 400;
const units = readKernelUnits("/proc", Date.now());
const syscalls = await loadSyscalls();
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/**
 * CPU µs per process of a scan, and the longest gap in the loop of the middle one: of all, the machine's own pauses. Round by
 * round beside a C program, since the machine's speed changes within seconds.
 * @param other the C program: `{ round, close }`
 */
async function measure(source, other) {
  for (let warm = 0; warm < warmPasses; warm++) await source.scan();
  const costs = [];
  const costsInC = [];
  const gaps = [];
  for (let round = 0; round < rounds; round++) {
    await pause(pauseMs);
    costsInC.push(await other.round());
    await pause(pauseMs);
    const watch = watchLoop();
    const from = cpu();
    const { table } = await source.scan();
    costs.push((cpu() - from) / table.length);
    gaps.push(watch.stop());
  }
  source.close();
  await other.close();
  return [{ ...summarize(costs), longestBlockMs: summarize(gaps).median }, summarize(costsInC)];
}

/** A program that does a round for each byte that it is given, and prints what it took. */
function startInC(command, args, processes, fds = []) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit", ...fds] });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    round: async () => {
      child.stdin.write("\n");
      const { value } = await lines.next();
      return Number(value.split(" ")[0]) / processes;
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** The longest time between two turns of the loop. */
function watchLoop() {
  let last = performance.now();
  let longest = 0;
  let on = true;
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (on) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    stop: () => {
      on = false;
      return Math.max(longest, performance.now() - last);
    },
  };
}

/** Iterators are opened here, and read by the C program: each is as if the agent had read all those before. */
function startIteratorInC(btf, processes) {
  const passes = loadTaskPasses(btf, syscalls);
  const records = createTaskRecords();
  let scans = 0;
  const scan = () => {
    const fd = passes.open(scans, scans === 0);
    scans++;
    records.begin();
    for (let length = 1; length > 0; records.took(length)) length = readSync(fd, records.room());
    closeSync(fd);
    if (records.finish()) passes.keep(records);
  };
  scan();
  const fds = Array.from({ length: rounds }, () => passes.open(scans, false));
  const child = startInC(
    iteratorReader,
    fds.map((_, index) => String(index + 3)),
    processes,
    fds,
  );
  return {
    round: async () => {
      scan();
      await pause(pauseMs);
      // What is opened last says which processes have their turn.
      closeSync(passes.open(scans, false));
      return child.round();
    },
    close: async () => {
      await child.close();
      for (const fd of fds) closeSync(fd);
      passes.close();
    },
  };
}

const result = {};
const procfs = () => createProcfsSource({ root: "/proc", units, calls: syscalls.files });
const probe = procfs();
const processes = (await probe.scan()).table.length;
probe.close();
try {
  const btf = parseBtf(readFileSync("/sys/kernel/btf/vmlinux"));
  const cgroups = createCgroupTexts(detectCgroups("/sys"), () => performance.now());
  const source = createBpfSource({ root: "/proc", units, cgroups, btf, syscalls });
  [result.bpf, result.iteratorInC] = await measure(source, startIteratorInC(btf, processes));
} catch (error) {
  result.withoutBpf = error.message.split("\n")[0];
}
[result.procfs, result.procfsInC] = await measure(procfs(), startInC(procfsReader, [], processes));
process.stdout.write(`${JSON.stringify(result)}\n`);
