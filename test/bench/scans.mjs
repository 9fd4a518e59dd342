// The sources alone, in a process of their own: scans.mjs ROUNDS  prints one JSON line with the CPU of every scan in µs, what
// the same iterator costs a C program, and the longest time that a scan held up the event loop.
import { closeSync, readFileSync, readSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { measureRounds, summarize } from "./measure.mjs";

const [rounds, iteratorReader] = [Number(process.argv[2]), process.argv[3]];
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
const warmPasses = 60;
const units = readKernelUnits("/proc", Date.now());
const syscalls = await loadSyscalls();
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** CPU µs per process of a scan, and the longest gap in the loop of the middle one: of all, the machine's own pauses. */
async function measure(source) {
  for (let warm = 0; warm < warmPasses; warm++) await source.scan();
  const costs = [];
  const gaps = [];
  for (let round = 0; round < rounds; round++) {
    const watch = watchLoop();
    const from = cpu();
    const { table } = await source.scan();
    costs.push((cpu() - from) / table.length);
    gaps.push(watch.stop());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  source.close();
  return { ...summarize(costs), longestBlockMs: summarize(gaps).median };
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

/** Iterators are opened here, and read by the C program. */
function readInC(btf, processes) {
  const passes = loadTaskPasses(btf, syscalls);
  // What the iterator remembers of processes is what it has when the agent reads it.
  remember(passes);
  const fds = Array.from({ length: rounds }, () => passes.open(warmPasses, false));
  try {
    return measureRounds({
      command: iteratorReader,
      args: fds.map((_, index) => String(index + 3)),
      stdio: ["ignore", "pipe", "inherit", ...fds],
      processes,
    });
  } finally {
    for (const fd of fds) closeSync(fd);
    passes.close();
  }
}

function remember(passes) {
  const records = createTaskRecords();
  for (let scan = 0; scan < warmPasses; scan++) {
    const fd = passes.open(scan, scan === 0);
    records.begin();
    for (let length = 1; length > 0; records.took(length)) length = readSync(fd, records.room());
    closeSync(fd);
    if (records.finish()) passes.keep(records);
  }
}

const result = {};
try {
  const btf = parseBtf(readFileSync("/sys/kernel/btf/vmlinux"));
  const cgroups = createCgroupTexts(detectCgroups("/sys"), () => performance.now());
  const make = () => createBpfSource({ root: "/proc", units, cgroups, btf, syscalls });
  const probe = make();
  const { table } = await probe.scan();
  probe.close();
  const before = readInC(btf, table.length);
  result.bpf = await measure(make());
  const after = readInC(btf, table.length);
  // Before and after, since the machine's speed changes in between.
  result.iteratorInC = {
    best: Math.min(before.best, after.best),
    median: (before.median + after.median) / 2,
  };
} catch (error) {
  result.withoutBpf = error.message.split("\n")[0];
}
result.procfs = await measure(createProcfsSource({ root: "/proc", units }));
process.stdout.write(`${JSON.stringify(result)}\n`);
