import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseGroupConfig } from "../../../agent/inventory/process-groups/config.ts";
import { makeContainer, type TestProcess } from "../table.ts";
import { firstScanTicks, GroupScene, type Options } from "./scenes.ts";

function sceneOf(config: string, options: Options = {}): GroupScene {
  return new GroupScene({ ...options, rules: parseGroupConfig(config, "c.yml").rules });
}

/** Started after the first scan, and long enough before the next to be named by it. */
const later = firstScanTicks + 110;

test("what was used before the first scan does not count, all of a process that starts later does", () => {
  const scene = new GroupScene();
  const old: TestProcess = { pid: 10, name: "a", userSeconds: 50, readBytes: 1000 };
  scene.scan([old]);
  expect(scene.group("a")).toMatchObject({ processes: 1, userSeconds: 0, readBytes: 0 });
  scene.scan([
    { ...old, userSeconds: 51, readBytes: 1100 },
    { pid: 20, name: "a", startTicks: later, userSeconds: 3, readBytes: 7 },
  ]);
  expect(scene.group("a")).toMatchObject({ processes: 2, userSeconds: 4, readBytes: 107 });
});

test("a group stays with its counters when its last process ends, with what that used at last", () => {
  const scene = new GroupScene();
  scene.scan([{ pid: 10, name: "a", userSeconds: 1 }]);
  scene.scan([{ pid: 10, name: "a", userSeconds: 2 }]);
  scene.ended(10, 100, 2.5);
  scene.scan([]);
  expect(scene.group("a")).toMatchObject({ processes: 0, userSeconds: 1.5, residentBytes: 0, openFiles: 0 });
  expect(scene.group("a")?.oldestStartSeconds).toBeNaN();
  scene.scan([]);
  expect(scene.group("a")?.userSeconds).toBe(1.5);
});

test("an end that is told after a scan has missed the process counts for its group", () => {
  const scene = new GroupScene();
  scene.scan([{ pid: 10, name: "a", userSeconds: 1 }]);
  scene.scan([]);
  scene.ended(10, 100, 1.25);
  expect(scene.group("a")?.userSeconds).toBe(0.25);
});

test("groups are removed with their last process when that is asked for", () => {
  const scene = new GroupScene({ removeEmptyGroups: true });
  scene.scan([
    { pid: 10, name: "a" },
    { pid: 11, name: "b" },
  ]);
  scene.scan([{ pid: 11, name: "b" }]);
  expect(scene.names()).toEqual(["b"]);
});

test("a process keeps its group when it changes its name", () => {
  const scene = new GroupScene();
  scene.scan([{ pid: 10, name: "a" }]);
  scene.scan([{ pid: 10, name: "b" }]);
  expect(scene.names()).toEqual(["a"]);
});

test("a process that has just been forked is named by the next scan, and then counts as a whole", () => {
  const scene = new GroupScene();
  scene.scan([]);
  const startTicks = scene.young(50);
  scene.scan([{ pid: 10, name: "sh", startTicks, userSeconds: 1 }]);
  expect(scene.names()).toEqual([]);
  scene.scan([{ pid: 10, name: "psql", startTicks, userSeconds: 1.5 }]);
  expect(scene.names()).toEqual(["psql"]);
  expect(scene.group("psql")?.userSeconds).toBe(1.5);
});

test("a process that becomes another program in its first seconds goes on in that one's group", () => {
  const scene = sceneOf("process_names: [{comm: [sh, psql], name: '{{.Comm}}'}, {comm: [top], name: top}]");
  const startTicks = later;
  scene.scan([]);
  scene.scan([
    { pid: 10, name: "sh", startTicks, userSeconds: 1 },
    { pid: 11, name: "node", startTicks, userSeconds: 2 },
  ]);
  scene.scan([
    { pid: 10, name: "psql", startTicks, userSeconds: 1.5 },
    { pid: 11, name: "top", startTicks, userSeconds: 2.5 },
  ]);
  expect(scene.group("sh")).toMatchObject({ processes: 0, userSeconds: 1 });
  expect(scene.group("psql")).toMatchObject({ processes: 1, userSeconds: 0.5 });
  expect(scene.group("top")).toMatchObject({ processes: 1, userSeconds: 2.5 });
});

test("a process that ends before it is named is named by what was seen of it", () => {
  for (const isTold of [true, false]) {
    const scene = new GroupScene();
    scene.scan([]);
    const startTicks = scene.young(50);
    scene.scan([{ pid: 10, name: "sh", startTicks, userSeconds: 1 }]);
    if (isTold) scene.ended(10, startTicks, 1.25);
    scene.scan([]);
    expect(scene.group("sh")?.userSeconds).toBe(isTold ? 1.25 : 1);
  }
});

const family = "process_names: [{comm: [top], name: family}, {comm: [own], name: own}]";
const tree: readonly TestProcess[] = [
  { pid: 10, parentPid: 30, name: "leaf" },
  { pid: 20, parentPid: 1, name: "top" },
  { pid: 30, parentPid: 20, name: "middle" },
  { pid: 40, parentPid: 30, name: "own" },
  { pid: 41, parentPid: 40, name: "leaf" },
  { pid: 50, parentPid: 1, name: "alone" },
];

test("processes that no rule is about belong to their nearest ancestor's group, also behind others and by PID before it", () => {
  const scene = sceneOf(family);
  scene.scan(tree);
  expect(scene.group("family")?.processes).toBe(3);
  expect(scene.group("own")?.processes).toBe(2);
});

test("without children they belong to none", () => {
  const scene = sceneOf(family, { children: false });
  scene.scan(tree);
  expect(scene.group("family")?.processes).toBe(1);
});

test("an orphan stays in the group, and one that belonged to none does not join its ancestor's", () => {
  const scene = sceneOf(family);
  scene.scan([
    { pid: 20, parentPid: 1, name: "top" },
    { pid: 30, parentPid: 20, name: "leaf" },
    { pid: 50, parentPid: 1, name: "alone" },
  ]);
  scene.scan([
    { pid: 30, parentPid: 1, name: "leaf" },
    { pid: 50, parentPid: 30, name: "alone" },
  ]);
  expect(scene.group("family")?.processes).toBe(1);
});

test("recheck looks again at those without a group when their name has changed, and takes their children along", () => {
  for (const recheck of [true, false]) {
    const scene = sceneOf(family, { recheck });
    scene.scan([
      { pid: 20, name: "before" },
      { pid: 21, parentPid: 20, name: "leaf" },
    ]);
    scene.scan([
      { pid: 20, name: "top" },
      { pid: 21, parentPid: 20, name: "leaf" },
    ]);
    expect(scene.group("family")?.processes).toBe(recheck ? 2 : undefined);
  }
});

test("the container's name can be part of the group's, and is waited for", () => {
  let containers = [makeContainer("web", { name: null })];
  const scene = sceneOf("process_names: [{comm: [a], name: '{{.Container}}/{{.Comm}} {{.Username}}'}]", {
    containers: () => containers,
  });
  scene.scan([]);
  const processes = [{ pid: 20, name: "a", startTicks: later, container: "web", userId: 7 }];
  scene.scan(processes);
  expect(scene.names()).toEqual([]);
  containers = [makeContainer("web", { name: "shop" })];
  scene.scan([...processes, { pid: 30, name: "a" }]);
  expect([...scene.names()].sort()).toEqual(["/a root", "shop/a 7"]);
});

test("a start is whole seconds, with Go's words in a name", () => {
  const scene = sceneOf(
    "process_names: [{comm: [a], name: '{{.StartTime}}|{{.StartTime.Unix}}|{{.PID}}|{{.Cwd}}'}]",
  );
  scene.scan([{ pid: 20, name: "a", startTicks: 125 }]);
  expect(scene.names()).toEqual(["2023-11-14 22:13:21.25 +0000 UTC|1700000001|20|/srv"]);
  expect(scene.groups.sums().groups[0]?.oldestStartSeconds).toBe(1_700_000_001);
});

test("states are those that the original tells apart", () => {
  const scene = new GroupScene();
  const letters = [..."RSDZTtIX"];
  scene.scan(letters.map((state, index) => ({ pid: 10 + index, name: "a", state })));
  expect(scene.group("a")?.states).toEqual([1, 1, 1, 1, 4]);
});

test("a figure that no member has is NaN and counted as a partial error, at each look", () => {
  const scene = new GroupScene();
  scene.scan([{ pid: 10, name: "a", readBytes: Number.NaN, openFiles: Number.NaN }]);
  expect(scene.groups.sums().partialErrors).toBe(1);
  expect(scene.groups.sums().partialErrors).toBe(2);
  expect(scene.group("a")).toMatchObject({ readBytes: Number.NaN, openFiles: Number.NaN });
});

test("groups beyond the bound are summed into other, and those long empty make room", () => {
  const scene = new GroupScene({ maxGroups: 3 });
  const many = (from: number, seconds: number) =>
    Array.from({ length: 5 }, (_, index) => ({
      pid: from + index,
      name: `p${from + index}`,
      userSeconds: seconds,
    }));
  scene.scan(many(10, 0));
  scene.scan(many(10, 1));
  expect(scene.names()).toEqual(["p10", "p11", "p12", "other"]);
  expect(scene.group("other")).toMatchObject({ processes: 2, userSeconds: 2 });
  expect(scene.groups.sums().otherGroups).toBe(2);
  scene.scan([], 60);
  scene.scan(many(20, 0), 60);
  expect(scene.group("other")).toMatchObject({ processes: 5, userSeconds: 2 });
  scene.scan([], 3600);
  scene.scan(many(30, 0), 5);
  expect(scene.names().filter((name) => name.startsWith("p3"))).not.toEqual([]);
  expect(scene.group("other")?.userSeconds).toBe(2);
});

test("whatever processes are called and do, each is in one group at most and no counter falls", () => {
  const process = fc.record({
    pid: fc.integer({ min: 2, max: 12 }),
    startTicks: fc.constantFrom(100, firstScanTicks + 5, firstScanTicks + 250),
    parentPid: fc.integer({ min: 0, max: 12 }),
    name: fc.string({ unit: "binary", maxLength: 15 }),
    command: fc.oneof(fc.constant(null), fc.array(fc.string({ unit: "binary" }), { maxLength: 3 })),
    userSeconds: fc.integer({ min: 0, max: 100 }),
  });
  const scans = fc.array(fc.uniqueArray(process, { selector: ({ pid }) => pid }), { maxLength: 6 });
  const config =
    "process_names: [{comm: [a], cmdline: ['(?P<x>.)']}, {name: '{{.Comm}}{{.Matches.y}}', cmdline: ['.+']}]";
  fc.assert(
    fc.property(scans, fc.boolean(), (all, recheck) => {
      const scene = sceneOf(config, { recheck, maxGroups: 4 });
      let before = new Map<string, number>();
      for (const processes of all) {
        scene.scan(processes);
        const { groups } = scene.groups.sums();
        const members = groups.reduce((sum, one) => sum + one.processes, 0);
        expect(members).toBeLessThanOrEqual(processes.length);
        expect(groups.length).toBeLessThanOrEqual(5);
        for (const { name, userSeconds } of groups)
          expect(userSeconds).toBeGreaterThanOrEqual(before.get(name) ?? 0);
        before = new Map(groups.map(({ name, userSeconds }) => [name, userSeconds]));
      }
    }),
  );
});
