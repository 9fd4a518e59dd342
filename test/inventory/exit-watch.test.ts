import { expect, jest, test } from "@jest/globals";
import type { EventRecord } from "../../agent/api.ts";
import { createEventJournal } from "../../agent/inventory/event-journal.ts";
import { exitOutcome, exitReason } from "../../agent/inventory/exit-attribution.ts";
import { createExitWatch } from "../../agent/inventory/exit-watch.ts";
import { createOomWatch } from "../../agent/inventory/oom-watch.ts";
import { silentLogger } from "../../agent/log.ts";
import { type Container, exitReasons, type Snapshot, type Usage } from "../../agent/model.ts";
import type { ExitRecord, ExitSource } from "../../agent/source/exits/exit-source.ts";
import { makeContainer, makeTable, makeTracker, type TestProcess } from "./table.ts";

const units = { bootSeconds: 1_700_000_000, ticksPerSecond: 100, pageBytes: 4096 };
const web = makeContainer("web", { initPid: 10 });
const init: TestProcess = { pid: 10, name: "init", container: "web" };
const worker: TestProcess = { pid: 20, parentPid: 10, name: "worker", container: "web" };

const usage = (userSeconds: number): Usage => ({
  userSeconds,
  systemSeconds: 0,
  readBytes: 0,
  writtenBytes: 0,
  voluntarySwitches: 0,
  involuntarySwitches: 0,
  minorFaults: 0,
  majorFaults: 0,
});

function ended(pid: number, facts: Partial<ExitRecord> = {}): ExitRecord {
  return {
    pid,
    startTicks: pid * 10,
    name: `p${pid}`,
    parentPid: 1,
    userId: 0,
    status: 0,
    oomVictim: false,
    endedAt: 1_700_001_000_500,
    lifetimeSeconds: 1.5,
    cgroup: "web",
    ancestors: [],
    usage: usage(0),
    ...facts,
  };
}

/** A host whose scans and ends a test tells. */
class Host {
  private readonly containers: Container[];
  readonly journal = createEventJournal("run", 1000, units);
  readonly queue: ExitRecord[] = [];
  kills = 0;
  private readonly tracker;
  private readonly watch;
  private second = 0;
  latest: Snapshot | undefined;

  constructor(source: "bpf" | "snapshot" = "bpf", containers = [web]) {
    this.containers = containers;
    this.tracker = makeTracker(() => this.containers);
    const exits: ExitSource = {
      name: "bpf",
      drain: () => this.queue.splice(0),
      lost: () => 0,
      close: () => {},
    };
    this.watch = createExitWatch({
      source: source === "bpf" ? exits : undefined,
      tracker: this.tracker,
      journal: this.journal,
      resolve: (text) => {
        const container = this.containers.find(({ id }) => id === text);
        return container && { container };
      },
      oom: createOomWatch(() => this.kills),
      units,
      showCommand: (argv) => argv,
      log: silentLogger,
      now: () => 1_700_001_000_000,
    });
  }

  scan(...processes: readonly TestProcess[]): Snapshot {
    this.watch.drain();
    const snapshot = this.tracker.advance(
      { table: makeTable(processes), problems: [] },
      { takenAt: 1_700_001_000_000 + ++this.second * 1000, monotonicSeconds: this.second, scanSeconds: 0 },
    );
    this.watch.observe(snapshot);
    this.latest = snapshot;
    return snapshot;
  }

  end(...exits: readonly ExitRecord[]): void {
    this.queue.push(...exits);
  }

  program(name: string) {
    const found = this.latest?.programs.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no program ${name}`);
    const exits = exitReasons.flatMap((reason, index) =>
      (found.exits[index] ?? 0) > 0 ? [[reason, found.exits[index]]] : [],
    );
    return {
      starts: found.starts,
      exits: Object.fromEntries(exits),
      userSeconds: found.userSeconds,
      container: this.latest?.containers[found.container]?.id,
    };
  }

  events(type: EventRecord["type"]): readonly EventRecord[] {
    return this.journal.tail(1000).filter((event) => event.type === type);
  }
}

test("the end of a process that scans have seen is booked once, with what it used since the last one", () => {
  const host = new Host();
  host.scan(init, { ...worker, userSeconds: 5 });
  host.end(ended(20, { status: 3 << 8, usage: usage(7) }));
  host.scan(init);
  host.scan(init);
  host.scan(init);
  expect(host.program("worker")).toEqual({
    starts: 0,
    exits: { exit_nonzero: 1 },
    userSeconds: 7,
    container: "web",
  });
  expect(host.events("exited")).toMatchObject([
    { ref: "20@200", program: "worker", name: "worker", exitCode: 3, signal: null, cpuSeconds: { user: 7 } },
  ]);
});

test("an end that is told after the scan that misses the process is the same end", () => {
  const host = new Host();
  host.scan(init, { ...worker, userSeconds: 5 });
  host.scan(init);
  host.end(ended(20, { usage: usage(6) }));
  host.scan(init);
  host.scan(init);
  host.scan(init);
  expect(host.program("worker")).toMatchObject({ exits: { exit_0: 1 }, userSeconds: 6 });
});

test("a process that no scan has seen counts as start, end and CPU of its ancestor's program", () => {
  const host = new Host();
  host.scan(init, worker);
  const ancestors = [
    { pid: 31, startTicks: 310, name: "sh" },
    { pid: 20, startTicks: 200, name: "worker" },
  ];
  host.end(ended(30, { ancestors, usage: usage(2) }));
  host.scan(init, worker);
  expect(host.program("worker")).toMatchObject({ starts: 1, exits: { exit_0: 1 }, userSeconds: 2 });
  expect(host.events("exited")).toMatchObject([{ pid: 30, program: "worker", container: { name: "web" } }]);
});

test("a short-lived child of the container's init, or from outside, is a program of its own", () => {
  const host = new Host();
  host.scan(init, worker, { pid: 5, name: "shim" });
  host.end(ended(30, { name: "job", ancestors: [{ pid: 10, startTicks: 100, name: "init" }] }));
  host.end(ended(31, { name: "psql", ancestors: [{ pid: 5, startTicks: 50, name: "shim" }] }));
  const forked = [
    { pid: 40, startTicks: 400, name: "batch" },
    { pid: 10, startTicks: 100, name: "init" },
  ];
  host.end(ended(32, { name: "step", ancestors: forked }));
  host.scan(init, worker);
  for (const name of ["job", "psql", "batch"])
    expect(host.program(name)).toMatchObject({ starts: 1, exits: { exit_0: 1 }, container: "web" });
});

test("what ends below a first process that a scan has met as the runtime's still is no program of the runtime's", () => {
  const untold = makeContainer("web");
  const host = new Host("bpf", [untold]);
  // Its parent is the runtime's too, in the container's cgroup and about to end: it does not look like the first one.
  const parent: TestProcess = { pid: 9, name: "runc:[1:CHILD]", container: "web" };
  const starting = { ...init, parentPid: 9, containerPid: 1, name: "runc:[2:INIT]" };
  host.scan(parent, starting, { pid: 20, parentPid: 10, name: "seen", container: "web" });
  host.end(ended(20, { name: "seen", ancestors: [{ pid: 10, startTicks: 100, name: "sh" }] }));
  host.end(ended(30, { name: "job", ancestors: [{ pid: 10, startTicks: 100, name: "sh" }] }));
  host.scan({ ...init, containerPid: 1, name: "sh" });
  for (const name of ["seen", "job"]) expect(host.program(name).exits).toEqual({ exit_0: 1 });
});

test("what ends before a scan has shown its container waits for the next one, which tells the container's first process", () => {
  const untold = makeContainer("web");
  const shim: TestProcess = { pid: 5, name: "containerd-shim" };
  const host = new Host("bpf", [untold]);
  host.scan();
  const fromInit = [
    { pid: 10, startTicks: 100, name: "sh" },
    { pid: 5, startTicks: 50, name: "containerd-shim" },
  ];
  const forked = [{ pid: 40, startTicks: 400, name: "batch" }, ...fromInit];
  host.end(ended(30, { name: "job", ancestors: fromInit }), ended(31, { name: "step", ancestors: forked }));
  host.scan(shim, { ...init, parentPid: 5, containerPid: 1, name: "sh" });
  host.scan(shim, { ...init, parentPid: 5, containerPid: 1, name: "sh" });
  for (const name of ["job", "batch"])
    expect(host.program(name)).toMatchObject({ starts: 1, exits: { exit_0: 1 }, container: "web" });
});

test("in a container that has ended before any scan the runtime is no program, and neither is the first process above others", () => {
  const host = new Host();
  host.scan();
  const shim = { pid: 5, startTicks: 50, name: "containerd-shim" };
  const first = { pid: 10, startTicks: 100, name: "sh" };
  host.end(ended(30, { name: "job", ancestors: [first, shim] }));
  host.end(ended(32, { name: "psql", ancestors: [{ pid: 33, startTicks: 330, name: "runc" }, shim] }));
  host.end(ended(10, { name: "sh", ancestors: [shim] }));
  host.scan();
  host.scan();
  for (const name of ["job", "psql", "sh"]) expect(host.program(name).exits).toEqual({ exit_0: 1 });
});

test("a process that a scan has met before it was in its parent's cgroup ended in the container all the same", () => {
  const host = new Host();
  host.scan(init, worker);
  host.scan(init, worker, { pid: 30, parentPid: 20, name: "worker" });
  host.end(
    ended(30, { name: "worker", cgroup: "web", ancestors: [{ pid: 20, startTicks: 200, name: "worker" }] }),
  );
  host.scan(init, worker);
  expect(host.program("worker")).toMatchObject({ container: "web", exits: { exit_0: 1 } });
});

test("a label names short-lived processes, too", () => {
  const labelled = makeContainer("web", {
    initPid: 10,
    labels: { "pidward.program.mail.match": "sendmail*" },
  });
  const host = new Host("bpf", [labelled]);
  host.scan(init);
  host.end(ended(30, { name: "sendmail", ancestors: [{ pid: 10, startTicks: 100, name: "init" }] }));
  host.scan(init);
  expect(host.program("mail")).toMatchObject({ exits: { exit_0: 1 } });
});

test("a zombie goes on being shown, and is neither a start nor used CPU again, nor ends twice", () => {
  const host = new Host();
  host.scan(init);
  host.end(
    ended(20, { status: 9, usage: usage(2), ancestors: [{ pid: 10, startTicks: 100, name: "init" }] }),
  );
  const zombie = { ...worker, name: "p20", state: "Z", userSeconds: 2 };
  host.scan(init, zombie);
  host.scan(init, zombie);
  host.scan(init, zombie);
  host.scan(init);
  host.scan(init);
  host.scan(init);
  expect(host.program("p20")).toEqual({ starts: 1, exits: { signal: 1 }, userSeconds: 2, container: "web" });
  expect(host.events("started")).toHaveLength(0);
});

test("a reused PID is another life: both ends are told apart", () => {
  const host = new Host();
  host.scan(init, { ...worker, startTicks: 200, userSeconds: 5 });
  host.end(ended(20, { startTicks: 200, usage: usage(6) }));
  host.end(
    ended(20, { startTicks: 250, usage: usage(1), ancestors: [{ pid: 10, startTicks: 100, name: "init" }] }),
  );
  host.scan(init, { ...worker, startTicks: 300, userSeconds: 0.5 });
  expect(host.program("worker")).toMatchObject({ starts: 1, exits: { exit_0: 1 }, userSeconds: 6.5 });
  expect(host.program("p20")).toMatchObject({ starts: 1, exits: { exit_0: 1 }, userSeconds: 1 });
  expect(host.events("exited").map((event) => event.type === "exited" && event.ref)).toEqual([
    "20@200",
    "20@250",
  ]);
});

test("without a source, and for ends that were lost, a process that is not there any more has ended unexplained", () => {
  const host = new Host("snapshot");
  host.scan(init, worker);
  host.scan(init);
  expect(host.events("exited")).toMatchObject([{ ref: "20@200", reason: "unknown", exitCode: null }]);
  const losing = new Host();
  losing.scan(init, worker);
  for (let count = 0; count < 4; count++) losing.scan(init);
  expect(losing.events("exited")).toMatchObject([{ ref: "20@200", reason: "unknown" }]);
  expect(losing.program("worker").exits).toEqual({ unknown: 1 });
});

test("starts are told once, without threads of the kernel and without those of the first scan", () => {
  const host = new Host();
  host.scan(init);
  host.scan(init, worker, { pid: 50, name: "kworker", flags: 0x00200000 });
  host.scan(init, worker, { pid: 50, name: "kworker", flags: 0x00200000 });
  expect(host.events("started")).toMatchObject([
    { ref: "20@200", name: "worker", program: "worker", command: ["worker"], parentPid: 10 },
  ]);
  expect(host.program("worker").starts).toBe(1);
});

test("the OOM killer is found by the kernel's mark, else by the container's counter, once for each step", () => {
  const host = new Host();
  host.scan(init, worker, { ...worker, pid: 21 }, { ...worker, pid: 22 });
  host.kills = 1;
  host.end(ended(20, { status: 9, oomVictim: null }));
  host.end(ended(21, { status: 9, oomVictim: null }));
  host.end(ended(22, { status: 9, oomVictim: true }));
  host.scan(init);
  expect(host.program("worker").exits).toEqual({ oom: 2, signal: 1 });
  expect(host.events("exited").map((event) => event.type === "exited" && event.oomKilled)).toEqual([
    true,
    false,
    true,
  ]);
});

test("changes of containers are events: new, other state, gone", () => {
  const containers = [web];
  const host = new Host("bpf", containers);
  host.scan(init);
  containers[0] = makeContainer("web", { state: "exited", exitCode: 137, initPid: null });
  containers.push(makeContainer("db"));
  host.scan();
  containers.shift();
  host.scan();
  expect(host.events("container")).toMatchObject([
    { container: { name: "web" }, previousState: "running", state: "exited", exitCode: 137 },
    { container: { name: "db" }, previousState: null, state: "running" },
    { container: { name: "web" }, previousState: "exited", state: "removed" },
  ]);
});

test.each([
  [0, { exitCode: 0, signal: null }, "exit_0"],
  [3 << 8, { exitCode: 3, signal: null }, "exit_nonzero"],
  [255 << 8, { exitCode: 255, signal: null }, "exit_nonzero"],
  [9, { exitCode: null, signal: 9 }, "signal"],
  // The eighth bit says that a core was dumped.
  [11 | 0x80, { exitCode: null, signal: 11 }, "signal"],
  [null, { exitCode: null, signal: null }, "unknown"],
] as const)("wait status %p is %p", (status, outcome, reason) => {
  expect(exitOutcome(status)).toEqual(outcome);
  expect(exitReason(status, false)).toBe(reason);
});

test("the source is looked at soon again while ends come, else when no scan has looked for more than a second", () => {
  jest.useFakeTimers();
  try {
    const began = Date.now();
    const looks: number[] = [];
    const ends: ExitRecord[] = [];
    const watch = createExitWatch({
      source: {
        name: "bpf",
        drain: () => {
          looks.push(Date.now() - began);
          return ends.splice(0);
        },
        lost: () => 0,
        close: () => {},
      },
      tracker: makeTracker(() => []),
      journal: createEventJournal("run", 1000, units),
      resolve: () => undefined,
      oom: createOomWatch(() => 0),
      units,
      showCommand: (argv) => argv,
      log: silentLogger,
      now: Date.now,
    });
    watch.start();
    jest.advanceTimersByTime(1_000);
    // As a scan does.
    watch.drain();
    ends.push(ended(7));
    jest.advanceTimersByTime(2_400);
    watch.stop();
    jest.advanceTimersByTime(10_000);
    expect(looks).toEqual([200, 1_000, 2_100, 2_300, 3_400]);
  } finally {
    jest.useRealTimers();
  }
});
