import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { createNamedProcessCollectors } from "../../../agent/metrics/compat/process-exporter.ts";
import { seriesOfGroup } from "../../../agent/metrics/compat/process-exporter-families.ts";
import { joinPieces } from "../../../agent/metrics/pieces.ts";
import { createSampleRenderer, type FamilySamples } from "../../../agent/metrics/samples.ts";
import type { NamedGroup, ProportionalMemory, ThreadGroup } from "../../../agent/named-groups.ts";
import { GroupScene } from "../../inventory/process-groups/scenes.ts";
import { healthyScene } from "../scenes.ts";

async function render(
  scene: GroupScene,
  threads: readonly ThreadGroup[] = [],
  memory: readonly ProportionalMemory[] = [],
  mostSeries = 10_000,
): Promise<string> {
  const collectors = createNamedProcessCollectors({
    sums: scene.groups.sums,
    threads: () => Promise.resolve(threads),
    proportionalMemory: () => memory,
    version: "1.2.3",
    mostSeries: () => mostSeries,
  });
  const families: FamilySamples[] = [];
  for (const collector of collectors) families.push(...(await collector.collect(healthyScene())));
  const { pieces } = createSampleRenderer("text")(families, 10_000);
  return joinPieces(pieces).toString().replaceAll('"amd64"', '"ARCH"');
}

function expectGolden(name: string, text: string): void {
  const file = path.join(__dirname, "../../golden", name);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, "utf8"));
}

const counters: Omit<NamedGroup, "name" | "processes" | "threads" | "states"> = {
  userSeconds: 1.5,
  systemSeconds: 0.25,
  readBytes: 4096,
  writtenBytes: 0,
  voluntarySwitches: 12,
  involuntarySwitches: 3,
  minorFaults: 100,
  majorFaults: 1,
  residentBytes: 0,
  virtualBytes: 0,
  swapBytes: 0,
  openFiles: 0,
  openFilesWorstRatio: 0,
  oldestStartSeconds: 0,
};

test("a healthy host with threads and smaps is exposed as in the golden file", async () => {
  const scene = new GroupScene();
  const nginx = { name: "nginx", openFiles: 12 };
  scene.scan([
    { pid: 1, parentPid: 0, name: "systemd" },
    { pid: 10, ...nginx, userSeconds: 1 },
    { pid: 11, ...nginx, state: "D" },
    { pid: 12, name: 'a "b" \\ c\nd' },
    { pid: 13, name: "gone" },
  ]);
  scene.scan([
    { pid: 1, parentPid: 0, name: "systemd" },
    { pid: 10, ...nginx, userSeconds: 2.25, readBytes: 4096 },
    { pid: 11, ...nginx, state: "D" },
    { pid: 12, name: 'a "b" \\ c\nd' },
  ]);
  const threads: ThreadGroup = {
    name: "nginx",
    threads: [{ name: "pool", count: 2, ...counters }],
    states: [1, 1, 0, 0, 0],
    waits: new Map([["futex_wait", 2]]),
  };
  const memory = { name: "nginx", residentBytes: 2048, swappedBytes: 0 };
  expectGolden("namedprocess-healthy.prom", await render(scene, [threads], [memory]));
});

test("where files are refused, figures that nobody has are left out and the failures counted", async () => {
  const scene = new GroupScene();
  const unreadable = { readBytes: Number.NaN, openFiles: Number.NaN, openFilesLimit: Number.NaN };
  scene.scan([
    { pid: 1, parentPid: 0, name: "systemd", ...unreadable },
    { pid: 10, name: "nginx", ...unreadable },
    { pid: 11, name: "nginx", command: null, ...unreadable },
  ]);
  scene.groups.scanFailed();
  expectGolden("namedprocess-degraded.prom", await render(scene));
});

test("beyond the bound the smallest groups are one, with their threads' states, and how many is told", async () => {
  const scene = new GroupScene();
  scene.scan([
    { pid: 10, name: "large", residentBytes: 9000 },
    { pid: 11, name: "small", residentBytes: 10 },
    { pid: 12, name: "tiny", residentBytes: 5 },
  ]);
  const threads = ["large", "tiny"].map(
    (name): ThreadGroup => ({
      name,
      threads: [{ name: "pool", count: 1, ...counters }],
      states: [0, 3, 0, 0, 0],
      waits: new Map([["futex_wait", 1]]),
    }),
  );
  const memory = ["large", "tiny"].map((name) => ({ name, residentBytes: 1, swappedBytes: 0 }));
  const text = await render(scene, threads, memory, 2.6 * seriesOfGroup);
  expect([...new Set(text.match(/groupname="\w+"/g))]).toEqual(['groupname="large"', 'groupname="other"']);
  expect(text).toContain('namedprocess_namegroup_num_procs{groupname="other"} 2\n');
  expect(text).toContain('namedprocess_namegroup_states{groupname="other",state="Sleeping"} 5\n');
  expect(text).toContain("pidward_namedprocess_other_groups 2\n");
  expect(text).not.toContain('groupname="other",threadname');
});
