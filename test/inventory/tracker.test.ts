import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Snapshot } from "../../agent/model.ts";
import { makeContainer, makeTable, makeTracker, type TestProcess } from "./table.ts";

const web = makeContainer("web", { initPid: 10 });

function program(snapshot: Snapshot, name: string) {
  const found = snapshot.programs.find((one) => one.name === name);
  if (found === undefined)
    throw new Error(`no program ${name} in ${snapshot.programs.map((one) => one.name)}`);
  return found;
}

/** Advances a tracker by one second for each list of processes. */
function track(
  scans: readonly (readonly TestProcess[])[],
  containers = [web],
  maxPrograms = 1000,
): Snapshot[] {
  const tracker = makeTracker(() => containers, maxPrograms);
  return scans.map((processes, second) =>
    tracker.advance(
      { table: makeTable(processes), problems: [] },
      { takenAt: 1_700_001_000_000 + second * 1000, monotonicSeconds: 1000 + second, scanSeconds: 0.01 },
    ),
  );
}

const init: TestProcess = { pid: 10, name: "init", container: "web" };

test("workers belong to the program of the process nearest to the container's init", () => {
  const [snapshot] = track([
    [
      init,
      { pid: 20, parentPid: 10, name: "nginx", container: "web" },
      { pid: 21, parentPid: 20, name: "nginx-worker", container: "web" },
      { pid: 22, parentPid: 21, name: "helper", container: "web" },
    ],
  ]);
  expect(snapshot && program(snapshot, "nginx").processes).toBe(3);
  expect(snapshot && program(snapshot, "init").processes).toBe(1);
});

test("a process run in a container from outside is a program of its own", () => {
  const [snapshot] = track([
    [init, { pid: 30, parentPid: 5, name: "psql", container: "web" }, { pid: 5, name: "shim" }],
  ]);
  expect(snapshot && program(snapshot, "psql").processes).toBe(1);
});

test("host processes are grouped below PID 1", () => {
  const [snapshot] = track([
    [
      { pid: 1, parentPid: 0, name: "systemd" },
      { pid: 7, name: "sshd" },
      { pid: 8, parentPid: 7, name: "bash" },
    ],
  ]);
  expect(snapshot && program(snapshot, "sshd")).toMatchObject({ processes: 2, container: -1 });
});

test("a label names the program of what it matches and of all below, but not the init", () => {
  const labelled = makeContainer("web", {
    initPid: 10,
    labels: { "pidward.program.queue.match": "*--queue=mail*", "pidward.program.broken": "x" },
  });
  const [snapshot] = track(
    [
      [
        { ...init, command: ["sh", "-c", "python3 w.py --queue=mail & wait"] },
        {
          pid: 20,
          parentPid: 10,
          name: "python3",
          command: ["python3", "w.py", "--queue=mail"],
          container: "web",
        },
        { pid: 21, parentPid: 20, name: "convert", container: "web" },
        { pid: 22, parentPid: 10, name: "python3", command: ["python3", "w.py"], container: "web" },
      ],
    ],
    [labelled],
  );
  expect(snapshot && program(snapshot, "queue").processes).toBe(2);
  expect(snapshot && program(snapshot, "init").processes).toBe(1);
  expect(snapshot && program(snapshot, "python3").processes).toBe(1);
});

test("a program's counters stay when a member exits and grow by what new members used", () => {
  const worker = { parentPid: 10, name: "w", container: "web" };
  const snapshots = track([
    [init, { ...worker, pid: 20, userSeconds: 5, readBytes: 100 }, { ...worker, pid: 21, userSeconds: 2 }],
    [init, { ...worker, pid: 20, userSeconds: 6, readBytes: 150 }],
    [init, { ...worker, pid: 22, userSeconds: 1 }],
    [init],
  ]);
  expect(snapshots.map((one) => program(one, "w").userSeconds)).toEqual([7, 8, 9, 9]);
  expect(snapshots.map((one) => program(one, "w").readBytes)).toEqual([100, 150, 150, 150]);
  expect(snapshots.map((one) => program(one, "w").processes)).toEqual([2, 1, 1, 0]);
});

test("a reused PID is a new process: it has no share of CPU yet, and its figures are added, not compared", () => {
  const worker = { pid: 20, parentPid: 10, name: "w", container: "web" };
  const snapshots = track([
    [init, { ...worker, startTicks: 100, userSeconds: 50 }],
    [init, { ...worker, startTicks: 900, userSeconds: 3 }],
    [init, { ...worker, startTicks: 900, userSeconds: 3.5 }],
  ]);
  const cores = snapshots.map((one) => one.cpuCores[one.rowByPid.get(20) ?? -1]);
  expect(cores).toEqual([Number.NaN, Number.NaN, 0.5]);
  expect(snapshots.map((one) => program(one, "w").userSeconds)).toEqual([50, 53, 53.5]);
});

test("a scan right after another keeps the rate: over milliseconds one tick would read as several CPUs", () => {
  const tracker = makeTracker(() => [web]);
  const at = (seconds: number, userSeconds: number): number | undefined => {
    const scan = { table: makeTable([{ ...init, userSeconds }]), problems: [] };
    const time = { takenAt: seconds * 1000, monotonicSeconds: seconds, scanSeconds: 0 };
    return tracker.advance(scan, time).cpuCores[0];
  };
  expect([at(0, 1), at(1, 1.5), at(1.005, 1.51), at(2, 1.6)]).toEqual([NaN, 0.5, 0.5, expect.closeTo(0.1)]);
});

test("a figure that cannot be read for a while is not counted twice when it comes back", () => {
  const worker = { pid: 20, parentPid: 10, name: "w", container: "web" };
  const snapshots = track([
    [init, { ...worker, readBytes: 100 }],
    [init, { ...worker, readBytes: Number.NaN }],
    [init, { ...worker, readBytes: 130 }],
  ]);
  expect(snapshots.map((one) => program(one, "w").readBytes)).toEqual([100, 100, 130]);
});

test("a figure that no member has is NaN, not zero", () => {
  const [snapshot] = track([
    [init, { pid: 20, parentPid: 10, name: "w", container: "web", readBytes: Number.NaN }],
  ]);
  expect(snapshot && program(snapshot, "w").readBytes).toBeNaN();
});

test("programs beyond the bound are summed into one, whatever names a container makes up", () => {
  const many = Array.from({ length: 50 }, (_, index) => ({
    pid: 100 + index,
    parentPid: 10,
    name: `made-up-${index}`,
    container: "web",
    userSeconds: 1,
  }));
  const [snapshot] = track([[init, ...many]], [web], 10);
  expect(snapshot?.programs.length).toBeLessThanOrEqual(11);
  expect(snapshot && program(snapshot, "other").processes).toBe(41);
  expect(snapshot?.programs.reduce((sum, one) => sum + one.userSeconds, 0)).toBe(50);
});

test("programs of a container that was removed are forgotten", () => {
  let containers = [web];
  const tracker = makeTracker(() => containers);
  const at = (second: number) => ({ takenAt: second * 1000, monotonicSeconds: second, scanSeconds: 0 });
  tracker.advance({ table: makeTable([init]), problems: [] }, at(1));
  containers = [];
  const snapshot = tracker.advance(
    { table: makeTable([{ pid: 1, parentPid: 0, name: "systemd" }]), problems: [] },
    at(2),
  );
  expect(snapshot.programs.map((one) => one.name)).toEqual(["systemd"]);
});

test("ends in a container that began during a scan wait, unshown, until it is seen", () => {
  let containers: (typeof web)[] = [];
  const tracker = makeTracker(() => containers);
  const at = (second: number) => ({ takenAt: second * 1000, monotonicSeconds: second, scanSeconds: 0 });
  const host: TestProcess = { pid: 1, parentPid: 0, name: "systemd" };
  const scan = (second: number, ...processes: TestProcess[]) =>
    tracker.advance({ table: makeTable([host, ...processes]), problems: [] }, at(second));
  const end = (pid: number, container: typeof web) =>
    tracker.ended(
      { pid, startTicks: 1, container, program: "sh", reason: "exit_0", usage: null, wasSeen: false },
      1000,
    );
  scan(1);
  end(50, web);
  end(51, makeContainer("short"));
  expect(scan(2).programs.map((one) => one.name)).toEqual(["systemd"]);
  containers = [web];
  const snapshot = scan(3, init);
  expect(program(snapshot, "sh")).toMatchObject({ container: 0, exits: [1, 0, 0, 0, 0], starts: 1 });
  expect(scan(12, init).programs).toHaveLength(3);
  containers = [web, makeContainer("short")];
  expect(scan(13, init).programs).toHaveLength(3);
});

test("what a runtime is called while it starts a container is no program for long", () => {
  const starting = { ...init, name: "runc:[2:INIT]" };
  const snapshots = track([[starting], [init]]);
  expect(snapshots.map((one) => one.programs.map((program) => program.name))).toEqual([
    ["runc:[2:INIT]"],
    ["init"],
  ]);
});

test("a loop of parents in a torn scan ends", () => {
  const [snapshot] = track([
    [
      init,
      { pid: 20, parentPid: 21, name: "a", container: "web" },
      { pid: 21, parentPid: 20, name: "b", container: "web" },
    ],
  ]);
  expect(snapshot?.table.length).toBe(3);
});

test("counters never fall, whatever comes and goes", () => {
  const process = fc.record({
    pid: fc.integer({ min: 20, max: 24 }),
    startTicks: fc.integer({ min: 1, max: 3 }),
    userSeconds: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant(Number.NaN)),
  });
  const scan = fc.uniqueArray(process, { selector: (one) => one.pid });
  fc.assert(
    fc.property(fc.array(scan, { minLength: 2, maxLength: 8 }), (scans) => {
      const snapshots = track(
        scans.map((processes) => [
          init,
          ...processes.map((one) => ({ ...one, parentPid: 10, name: "w", container: "web" })),
        ]),
      );
      const sums = snapshots.flatMap((one) => one.programs.find((p) => p.name === "w")?.userSeconds ?? []);
      for (let index = 1; index < sums.length; index++) {
        expect(sums[index]).toBeGreaterThanOrEqual(sums[index - 1] ?? 0);
      }
    }),
  );
});
