// The sources alone, in a process of their own: scans.mjs ROUNDS ITERATOR-READER WALK-RUNNER PROCFS-READER  prints one JSON line with the CPU
// of every scan in µs, what the same costs the C programs, and the longest time that a scan held up the event loop.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { pause, summarize } from "./measure.mjs";

const rounds = Number(process.argv[2]);
const [iteratorReader, walkRunner, procfsReader] = process.argv.slice(3);
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
const [{ createCgroupTexts }, { detectCgroups }, { assembleTaskIterator }, { assembleProcessWalk }] =
  await Promise.all([
    load("source/cgroupfs/cgroup-texts.js"),
    load("source/cgroupfs/layout.js"),
    load("source/bpf/task-iterator.js"),
    load("source/bpf/process-walk.js"),
  ]);
const [{ loadCallable, loadTaskIterator }, { createMappedValue }, { createWalkedPasses }, { walkLayout }] =
  await Promise.all([
    load("source/bpf/loader.js"),
    load("source/bpf/maps.js"),
    load("source/bpf/task-passes.js"),
    load("source/bpf/walk-memory.js"),
  ]);
const { words } = await load("source/bpf/process-record.js");

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
 * round beside C programs, since the machine's speed changes within seconds.
 * @param others the C programs: `{ round, close }`
 * @returns the figures of the source, then those of each C program
 */
async function measure(source, ...others) {
  for (let warm = 0; warm < warmPasses; warm++) await source.scan();
  const costs = [];
  const costsInC = others.map(() => []);
  const gaps = [];
  for (let round = 0; round < rounds; round++) {
    for (const [index, other] of others.entries()) {
      await pause(pauseMs);
      costsInC[index].push(await other.round());
    }
    await pause(pauseMs);
    const watch = watchLoop();
    const from = cpu();
    const { table } = await source.scan();
    costs.push((cpu() - from) / table.length);
    gaps.push(watch.stop());
  }
  source.close();
  for (const other of others) await other.close();
  return [{ ...summarize(costs), longestBlockMs: summarize(gaps).median }, ...costsInC.map(summarize)];
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

/** Iterators, which give the whole record of each process, are opened here and read by the C program. */
function startIteratorInC(btf, processes) {
  const iterator = loadTaskIterator(assembleTaskIterator(btf), btf, syscalls);
  const fds = Array.from({ length: rounds }, () => iterator.open());
  const child = startInC(
    iteratorReader,
    fds.map((_, index) => String(index + 3)),
    processes,
    fds,
  );
  return {
    round: child.round,
    close: async () => {
      await child.close();
      for (const fd of fds) closeSync(fd);
      iterator.close();
    },
  };
}

/**
 * The C program runs the program that the source runs, with entries that are made here before each round, as if it had just seen
 * those processes. @throws where the kernel has no such program
 */
function startWalkInC(btf, processes) {
  const value = createMappedValue(walkLayout.bytes, "bench_walk", syscalls);
  const program = loadCallable(assembleProcessWalk(btf, value.fd), "bench_walk", btf, syscalls);
  const passes = createWalkedPasses(program, value);
  const { bytes, outputAt, outputStride, headBytes } = walkLayout;
  const figures = [bytes, outputAt, outputStride, headBytes + words.processId * 4];
  const child = startInC(walkRunner, ["3", "4", ...figures.map(String)], processes, [program.fd, value.fd]);
  let scans = 0;
  return {
    round: async () => {
      await passes.pass(scans++);
      await pause(pauseMs);
      // It counts on from the number of that pass.
      scans++;
      return child.round();
    },
    close: async () => {
      await child.close();
      passes.close();
    },
  };
}

/** None where the kernel gives the source nothing but its iterator. */
function walkers(btf, processes) {
  try {
    return [startWalkInC(btf, processes)];
  } catch {
    return [];
  }
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
  [result.bpf, result.iteratorInC, result.walkInC] = await measure(
    source,
    startIteratorInC(btf, processes),
    ...walkers(btf, processes),
  );
} catch (error) {
  result.withoutBpf = error.message.split("\n")[0];
}
[result.procfs, result.procfsInC] = await measure(procfs(), startInC(procfsReader, [], processes));
process.stdout.write(`${JSON.stringify(result)}\n`);
