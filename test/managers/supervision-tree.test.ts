import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { InsideProcess, Manager, ManagerParts } from "../../agent/managers/manager.ts";
import { createRunitFinder } from "../../agent/managers/runit.ts";
import { createS6Finder } from "../../agent/managers/s6.ts";
import type { Container } from "../../agent/model.ts";
import { loadSyscalls, type Syscalls } from "../../agent/syscalls.ts";

// A folder in the place of /proc, where a supervisor 42 has its service in /services/web.
const scratch = mkdtempSync(path.join(os.tmpdir(), "pidward-supervision-"));
const procRoot = path.join(scratch, "proc");
const service = path.join(procRoot, "42/root/services/web/supervise");
const control = path.join(service, "control");
let syscalls: Syscalls;
/** How far the clock goes with every look at it. */
let stepMs = 0;

beforeAll(async () => {
  syscalls = await loadSyscalls();
  mkdirSync(path.join(procRoot, "42/task"), { recursive: true });
});

beforeEach(() => {
  rmSync(service, { recursive: true, force: true });
  mkdirSync(service, { recursive: true });
  execFileSync("mkfifo", [control]);
  status("up", 1);
  stepMs = 0;
});

afterAll(() => rmSync(scratch, { recursive: true }));

/** As s6-supervise writes it. */
function status(phase: "up" | "down", stamp: number): void {
  const bytes = Buffer.alloc(35);
  bytes.writeUInt32BE(stamp, 4);
  bytes.writeBigUInt64BE(phase === "up" ? 7n : 0n, 24);
  bytes.writeUInt8(phase === "up" ? 4 : 8, 34);
  writeFileSync(path.join(service, "status"), bytes);
}

const container: Container = {
  id: "c".repeat(64),
  runtime: "docker",
  name: "shop",
  image: null,
  labels: {},
  state: "running",
  initPid: 41,
  createdAt: null,
  startedAt: null,
  health: null,
  restartCount: null,
  exitCode: null,
  oomKilled: false,
  restartPolicy: null,
  known: true,
};

const parts = (): ManagerParts => {
  let now = 0;
  return {
    runInside: async () => {
      throw new Error("nothing is to be run inside");
    },
    procRoot,
    syscalls,
    readStat: () => ({ startTicks: 1000, state: "S".charCodeAt(0) }),
    readEnviron: () => [],
    readLink: () => "/services/web",
    monotonicMs: () => {
      now += stepMs;
      return now;
    },
  };
};

const inside = (pid: number, parentPid: number, ...command: readonly string[]): InsideProcess => ({
  ref: { pid, startTicks: 1000 },
  parentPid,
  containerPid: pid,
  name: command[0] ?? "",
  command,
  cgroup: "",
});

const processes = [
  inside(41, 1, "s6-svscan", "/services"),
  inside(42, 41, "s6-supervise", "web"),
  inside(43, 42, "sleep", "1"),
];

function manager(): Manager {
  const [found] = createS6Finder(parts()).find(container, processes);
  if (found === undefined) throw new Error("it is not found");
  return found;
}

async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return `${Reflect.get(Object(error), "code")}: ${Reflect.get(Object(error), "message")}`;
  }
  throw new Error("the call did not fail");
}

/** What has been written to the control pipe while something is done. */
async function toldDuring(act: () => Promise<void>): Promise<string> {
  const reader = openSync(control, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    await act();
    const bytes = Buffer.alloc(100);
    return bytes.toString("latin1", 0, readSync(reader, bytes));
  } finally {
    closeSync(reader);
  }
}

test("one that ignores all is killed after the grace, and what it is then is told", async () => {
  stepMs = 3_000;
  const told = await toldDuring(async () => {
    expect(await failureOf(manager().restart("web"))).toBe(
      'failed: s6 in shop was told to restart "web", and it is up after 25 s',
    );
  });
  expect(told).toBe("duk");
});

test("one that is down is started only; one that goes down is waited for", async () => {
  status("down", 1);
  const told = await toldDuring(async () => {
    const restarting = manager().restart("web");
    status("up", 2);
    await restarting;
  });
  expect(told).toBe("u");
  const stopped = await toldDuring(async () => {
    const stopping = manager().stop("web");
    status("down", 3);
    await stopping;
  });
  expect(stopped).toBe("d");
});

test("a pipe that nobody reads, and what is no pipe, are told", async () => {
  const web = "unavailable: s6 in shop: of its supervisor 42, ";
  expect(await failureOf(manager().restart("web"))).toBe(`${web}the control pipe is read by nobody`);
  rmSync(control);
  expect(await failureOf(manager().restart("web"))).toBe(`${web}the control pipe is not there`);
  writeFileSync(control, "");
  expect(await failureOf(manager().stop("web"))).toBe(`${web}the control pipe is not there`);
});

test("a status that is none leaves the service out", async () => {
  writeFileSync(path.join(service, "status"), "x".repeat(1000));
  expect(await manager().list()).toEqual([]);
  expect(await failureOf(manager().restart("web"))).toBe(
    'not_found: s6 in shop has no program "web"; it has no program at all',
  );
});

test("services belong to the scanner above them, else to their own supervisor; forks and odd names to nobody", () => {
  const found = createS6Finder(parts()).find(container, [
    ...processes,
    inside(44, 41, "s6-supervise", "api"),
    inside(45, 44, "s6-supervise", "api"),
    inside(46, 41, "s6-supervise", "a\nb"),
    inside(50, 1, "s6-supervise", "alone"),
    inside(51, 1, "runsv", "other"),
  ]);
  expect(found.map(({ ref }) => ref.pid)).toEqual([41, 50]);
  expect(createRunitFinder(parts()).find(container, processes)).toEqual([]);
});

test("the main process of a service has its name", () => {
  const [scanner, supervisor, main] = processes;
  const { nameOf } = createS6Finder(parts());
  expect(main && nameOf(main, supervisor)).toBe("web");
  expect(supervisor && nameOf(supervisor, scanner)).toBeUndefined();
  expect(main && nameOf(main, undefined)).toBeUndefined();
  const runit = createRunitFinder(parts());
  const runsv = inside(51, 1, "runsv", "web");
  expect(runit.nameOf(inside(52, 51, "nginx"), runsv)).toBe("web");
  expect(runit.nameOf(inside(53, 51, "svlogd", "/var/log"), runsv)).toBe("web/log");
});
