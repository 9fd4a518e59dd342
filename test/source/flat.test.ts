import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { kernelObstacle } from "../support/kernel.ts";

const built = path.join(__dirname, "../../dist");

/** Scans a thousand times in a process of its own, which can ask for a collection; says what it holds before and after. */
const script = `
const { readFileSync, readdirSync, readlinkSync } = require("node:fs");
const load = (file) => require(${JSON.stringify(built)} + "/" + file);
const { createBpfSource } = load("source/bpf/bpf-source.js");
const { createBpfExits } = load("source/exits/bpf-exits.js");
const { createCgroupTexts } = load("source/cgroupfs/cgroup-texts.js");
const { detectCgroups } = load("source/cgroupfs/layout.js");
const { parseBtf } = load("source/bpf/btf.js");
const { readKernelUnits } = load("source/procfs/kernel-units.js");
const { loadSyscalls } = load("syscalls.js");
(async () => {
  const syscalls = await loadSyscalls();
  const units = readKernelUnits("/proc", Date.now());
  const cgroups = createCgroupTexts(detectCgroups("/sys"));
  const btf = () => parseBtf(readFileSync("/sys/kernel/btf/vmlinux"));
  // The thread that reads command lines may be at one, and may hang in one, which other tests have.
  const isKept = (fd) => { try { return !/\\/cmdline$/.test(readlinkSync("/proc/self/fd/" + fd)); } catch { return false; } };
  const fds = () => readdirSync("/proc/self/fd").filter(isKept).length;
  const first = fds();
  const source = createBpfSource({ root: "/proc", units, cgroups, btf: btf(), syscalls });
  const exits = createBpfExits({ units, cgroups, btf: btf(), syscalls, now: Date.now, monotonicNs: () => Number(process.hrtime.bigint()) });
  let processes = 0;
  const scan = async (times) => { for (let index = 0; index < times; index++) { processes = (await source.scan()).table.length; exits.drain(); } };
  const held = () => { gc(); gc(); const { heapUsed, arrayBuffers } = process.memoryUsage(); return heapUsed + arrayBuffers; };
  await scan(200);
  const before = { held: held(), fds: fds(), processes };
  await scan(1000);
  const after = { held: held(), fds: fds(), processes };
  source.close();
  exits.close();
  // The thread that reads command lines gives its descriptors back when it has ended.
  for (let tries = 0; tries < 400 && fds() > first; tries++) await new Promise((resolve) => setTimeout(resolve, 25));
  console.log(JSON.stringify({ first, before, after, closed: fds() }));
})();
`;

const reason = kernelObstacle("bpf");
(reason === undefined ? test : test.skip)(
  `a thousand scans and drains hold no more memory and descriptors than before, and closing gives all back${reason === undefined ? "" : ` [not run: ${reason}]`}`,
  async () => {
    const child = spawn(process.execPath, ["--expose-gc", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
    });
    expect((await once(child, "close"))[0]).toBe(0);
    const { first, before, after, closed } = JSON.parse(said);
    expect(after.fds).toBe(before.fds);
    expect(closed).toBe(first);
    const more = Math.max(0, after.processes - before.processes);
    expect(after.held - before.held).toBeLessThan((2 << 20) + more * 1024);
  },
  120_000,
);
