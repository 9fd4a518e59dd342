import { expect, test } from "@jest/globals";
import { createEventJournal } from "../../agent/inventory/event-journal.ts";
import { createHeldEvents } from "../../agent/inventory/held-events.ts";
import type { Container, Snapshot } from "../../agent/model.ts";
import type { ExitRecord } from "../../agent/source/exits/exit-source.ts";
import { makeContainer, makeSnapshot, type TestProcess } from "./table.ts";

const units = { bootSeconds: 1_700_000_000, ticksPerSecond: 100, pageBytes: 4096 };
const web = makeContainer("web", { initPid: 10 });
const untold = makeContainer("web", { name: null, image: null, known: false, runtime: null });
const shell: TestProcess = { pid: 10, name: "sh", container: "web" };
const sleeper: TestProcess = { pid: 20, parentPid: 10, name: "sleep", container: "web" };

function setUp() {
  const journal = createEventJournal("run", 5000, units);
  const held = createHeldEvents({ journal, units, showCommand: (argv) => argv });
  const scan = (containers: readonly Container[], ...processes: readonly TestProcess[]): Snapshot => {
    const snapshot = makeSnapshot(processes, containers);
    held.observe(snapshot);
    return snapshot;
  };
  const start = (pid: number, snapshot: Snapshot): void =>
    held.started(snapshot.rowByPid.get(pid) ?? -1, snapshot);
  const end = (pid: number, container: Container | null): void => {
    const exit: ExitRecord = {
      pid,
      startTicks: pid * 10,
      name: "sleep",
      parentPid: 10,
      userId: 0,
      status: 0,
      oomVictim: false,
      endedAt: 1_700_001_000_500,
      lifetimeSeconds: 1.5,
      cgroup: null,
      ancestors: [],
      usage: null,
    };
    const owner = { startTicks: pid * 10, name: "sleep", container, program: "sleep", wasSeen: true };
    held.exited(exit, owner, false);
  };
  const told = () =>
    journal
      .tail(5000)
      .map((event) => `${event.type} ${"pid" in event ? event.pid : ""} ${event.container?.name ?? "-"}`);
  return { journal, scan, start, end, told };
}

test("events of a container that a runtime has told of are told at once", () => {
  const { scan, start, end, told } = setUp();
  start(20, scan([web], shell, sleeper));
  end(20, web);
  expect(told()).toEqual(["started 20 web", "exited 20 web"]);
});

test("those of a container that the runtime has not told of yet come with its name, in their order", () => {
  const { scan, start, end, told } = setUp();
  start(20, scan([untold], shell, sleeper));
  end(20, untold);
  end(30, null);
  expect(told()).toEqual(["exited 30 -"]);
  scan([untold], shell);
  expect(told()).toEqual(["exited 30 -"]);
  scan([web], shell);
  expect(told()).toEqual(["exited 30 -", "started 20 web", "exited 20 web"]);
});

test("a container that no runtime knows is waited for over two scans, and then never again", () => {
  const { scan, start, end, told, journal } = setUp();
  start(20, scan([], shell, sleeper));
  scan([], shell, sleeper);
  expect(told()).toEqual([]);
  scan([], shell, sleeper);
  expect(journal.tail(9)).toMatchObject([{ type: "started", pid: 20, container: { id: "web" } }]);
  start(21, scan([], shell, sleeper, { ...sleeper, pid: 21 }));
  end(20, untold);
  expect(told()).toHaveLength(3);
});

test("a process that looks as its parent does is told with the name that it has a scan later", () => {
  const { scan, start, journal } = setUp();
  start(20, scan([web], shell, { ...sleeper, name: "sh" }));
  expect(journal.tail(9)).toEqual([]);
  scan([web], shell, sleeper);
  expect(journal.tail(9)).toMatchObject([{ name: "sleep", program: "sleep", command: ["sleep"] }]);
});

test("a process in nobody's cgroup below a container's is told with the container that it has a scan later", () => {
  const { scan, start, told } = setUp();
  const { container: _, ...outside } = sleeper;
  start(20, scan([web], shell, outside));
  expect(told()).toEqual([]);
  scan([web], shell, sleeper);
  expect(told()).toEqual(["started 20 web"]);
});

test("one that has ended meanwhile is told as it was met, before its end, and one with its PID is another", () => {
  const { scan, start, end, told, journal } = setUp();
  const young = { ...sleeper, name: "sh" };
  start(20, scan([web], shell, young));
  end(20, web);
  expect(told()).toEqual(["started 20 web", "exited 20 web"]);
  start(21, scan([web], shell, { ...young, pid: 21 }));
  scan([web], shell, { ...sleeper, pid: 21, startTicks: 999 });
  expect(journal.tail(1)).toMatchObject([{ type: "started", ref: "21@210", name: "sh" }]);
});

test("not more than a thousand wait", () => {
  const { scan, end, told } = setUp();
  scan([], shell);
  for (let pid = 1; pid <= 1000; pid++) end(pid, untold);
  expect(told()).toHaveLength(0);
  end(1001, untold);
  expect(told()).toHaveLength(1001);
});
